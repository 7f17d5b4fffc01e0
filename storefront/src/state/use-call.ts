// Reading something for a page: again when it changes, when asked to, when the network is back, and by itself after an
// outage.
import { useCallback, useEffect, useRef, useState } from "react";
import { explain, isAborted, type Refusal } from "../api/errors";

export type Called<T> = {
  /** The latest answer; the one before while the next is under way. */
  data: T | undefined;
  refusal: Refusal | undefined;
  loading: boolean;
  again: () => void;
};

/** A page that could not be read asks again by itself, ever more rarely. */
const PAUSE_MS = 3_000;
const PAUSE_MAX_MS = 30_000;

/** Calls whenever `key` changes. An empty key calls nothing. */
export function useCall<T>(key: string, call: (signal: AbortSignal) => Promise<T>): Called<T> {
  const [state, setState] = useState<{ data?: T; refusal?: Refusal; loading: boolean }>({ loading: key !== "" });
  const [attempt, setAttempt] = useState(0);
  const latest = useRef(call);
  latest.current = call;

  useEffect(() => {
    if (!key) return;
    const controller = new AbortController();
    setState((before) => ({ ...before, loading: true }));
    latest.current(controller.signal).then(
      (data) => controller.signal.aborted || setState({ data, loading: false }),
      (error) => {
        if (controller.signal.aborted || isAborted(error)) return;
        setState((before) => ({ data: before.data, refusal: explain(error), loading: false }));
      },
    );
    return () => controller.abort();
  }, [key, attempt]);

  const again = useCallback(() => setAttempt((count) => count + 1), []);
  const outage = state.refusal?.transient ? state.refusal : undefined;
  const failures = useRef(0);
  if (state.data !== undefined && !outage) failures.current = 0;
  useEffect(() => {
    if (!outage) return;
    const pause = Math.min(PAUSE_MS * 2 ** failures.current, PAUSE_MAX_MS);
    const timer = setTimeout(() => {
      failures.current += 1;
      again();
    }, Math.max(pause, outage.retryAfterMs ?? 0));
    window.addEventListener("online", again);
    return () => {
      clearTimeout(timer);
      window.removeEventListener("online", again);
    };
  }, [outage, again]);

  return { data: state.data, refusal: state.refusal, loading: state.loading, again };
}
