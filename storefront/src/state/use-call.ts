// Reading something for a page: again when it changes, when asked to, and when the network is back.
import { useCallback, useEffect, useRef, useState } from "react";
import { explain, isAborted, type Refusal } from "../api/errors";

export type Called<T> = {
  /** The latest answer; the one before while the next is under way. */
  data: T | undefined;
  refusal: Refusal | undefined;
  loading: boolean;
  again: () => void;
};

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
  const failed = state.refusal?.transient === true;
  useEffect(() => {
    if (!failed) return;
    window.addEventListener("online", again);
    return () => window.removeEventListener("online", again);
  }, [failed, again]);

  return { data: state.data, refusal: state.refusal, loading: state.loading, again };
}
