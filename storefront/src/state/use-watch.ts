// Following a stream for as long as a page is shown.
import { useEffect, useRef, useState } from "react";
import { follow, type Link, type Watch } from "../api/watch";

/** Follows whenever `key` changes. An empty key follows nothing. */
export function useWatch<T>(key: string, watch: Pick<Watch<T>, "open" | "told">): Link {
  const [link, setLink] = useState<Link>("connecting");
  const latest = useRef(watch);
  latest.current = watch;
  useEffect(() => {
    if (!key) return;
    const controller = new AbortController();
    void follow<T>({
      open: (signal) => latest.current.open(signal),
      told: (message) => latest.current.told(message),
      link: setLink,
      signal: controller.signal,
    });
    return () => controller.abort();
  }, [key]);
  return link;
}
