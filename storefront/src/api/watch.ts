// Streams that stay open: closed while nobody looks, opened again after a fault.
import { Code, ConnectError } from "@connectrpc/connect";
import { isStale } from "./session";
import { wait } from "./time";

export type Link = "connecting" | "live" | "waiting" | "ended";

export type Watch<T> = {
  open: (signal: AbortSignal) => AsyncIterable<T>;
  /** What was told. True where nothing more will come. */
  told: (message: T) => boolean | void;
  /** How the stream fares. */
  link?: (link: Link) => void;
  signal: AbortSignal;
  pauseMs?: number;
};

const PAUSE_MAX_MS = 15_000;
const HOPELESS = new Set([Code.NotFound, Code.PermissionDenied, Code.InvalidArgument, Code.Unimplemented]);

/** Follows a stream until it says all, is refused for good, or the signal is given. */
export async function follow<T>(watch: Watch<T>): Promise<void> {
  const { signal, link = () => {}, pauseMs = 500 } = watch;
  let pause = pauseMs;
  while (!signal.aborted) {
    await untilSeen(signal);
    if (signal.aborted) return;
    link("connecting");
    const seen = whileSeen(signal);
    try {
      for await (const message of watch.open(seen.signal)) {
        if (signal.aborted) return;
        pause = pauseMs;
        link("live");
        if (watch.told(message)) return link("ended");
      }
    } catch (error) {
      if (signal.aborted) return;
      const code = ConnectError.from(error).code;
      if (HOPELESS.has(code) || (code === Code.Unauthenticated && !isStale(error))) return link("ended");
    } finally {
      seen.release();
    }
    link("waiting");
    // Spread out, so that not everyone comes back in the same instant.
    await untilOnline(pause * (0.5 + Math.random()), signal);
    pause = Math.min(pause * 2, PAUSE_MAX_MS);
  }
}

/** A browser has few connections to one server: a tab nobody looks at gives its own back. */
function whileSeen(signal: AbortSignal): { signal: AbortSignal; release: () => void } {
  const controller = new AbortController();
  const check = () => {
    if (signal.aborted || document.visibilityState === "hidden") controller.abort();
  };
  signal.addEventListener("abort", check);
  document.addEventListener("visibilitychange", check);
  return {
    signal: controller.signal,
    release: () => {
      signal.removeEventListener("abort", check);
      document.removeEventListener("visibilitychange", check);
      controller.abort();
    },
  };
}

function untilSeen(signal: AbortSignal): Promise<void> {
  if (document.visibilityState !== "hidden") return Promise.resolve();
  return new Promise((resolve) => {
    const check = () => {
      if (!signal.aborted && document.visibilityState === "hidden") return;
      document.removeEventListener("visibilitychange", check);
      signal.removeEventListener("abort", check);
      resolve();
    };
    document.addEventListener("visibilitychange", check);
    signal.addEventListener("abort", check);
  });
}

async function untilOnline(ms: number, signal: AbortSignal): Promise<void> {
  const back = new AbortController();
  const wake = () => back.abort();
  window.addEventListener("online", wake);
  signal.addEventListener("abort", wake);
  await wait(ms, back.signal);
  window.removeEventListener("online", wake);
  signal.removeEventListener("abort", wake);
}
