// Trying again what may be repeated.
import { explain } from "./errors";
import { newKey } from "./key";
import { wait } from "./time";

const PAUSES_MS = [400, 1_200, 3_000];

/** Makes a repeatable call until there is an answer that counts, or patience ends. */
export async function persist<T>(call: () => Promise<T>, pauses: readonly number[] = PAUSES_MS): Promise<T> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await call();
    } catch (error) {
      const refusal = explain(error);
      const pause = pauses[attempt];
      if (!refusal.transient || pause === undefined) throw error;
      await wait(Math.max(refusal.retryAfterMs ?? 0, pause));
    }
  }
}

/** Makes a call under one key, so that trying again cannot do it twice. */
export function once<T>(call: (requestId: string) => Promise<T>): Promise<T> {
  const key = newKey();
  return persist(() => call(key));
}
