// Where the shopper is, kept in the address bar.
import { useSyncExternalStore } from "react";

const watchers = new Set<() => void>();

function tell(): void {
  for (const watcher of [...watchers]) watcher();
}

function subscribe(watcher: () => void): () => void {
  if (watchers.size === 0) window.addEventListener("popstate", tell);
  watchers.add(watcher);
  return () => {
    watchers.delete(watcher);
    if (watchers.size === 0) window.removeEventListener("popstate", tell);
  };
}

/** Goes to a page. Replacing leaves no step to come back to. */
export function navigate(to: string, how: { replace?: boolean } = {}): void {
  const samePage = new URL(to, location.href).pathname === location.pathname;
  if (how.replace) history.replaceState(null, "", to);
  else history.pushState(null, "", to);
  tell();
  if (!samePage) window.scrollTo(0, 0);
}

export const usePath = (): string => useSyncExternalStore(subscribe, () => location.pathname);

export function useQuery(): URLSearchParams {
  return new URLSearchParams(useSyncExternalStore(subscribe, () => location.search));
}
