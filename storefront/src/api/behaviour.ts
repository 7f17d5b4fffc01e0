// Tells analytics what a visitor did. Nobody waits for it, and nobody minds if it fails.
import { type Behaviour_Kind } from "../gen/cartwright/analytics/v1/analytics_pb";
import { newKey } from "./key";
import type { Shop } from "./shop";

const KEY = "cartwright.visitor";

export function record(shop: Shop, kind: Behaviour_Kind, about: { product?: string; query?: string } = {}): void {
  if (wantsPrivacy()) return;
  shop.analytics.recordBehaviour({ behaviours: [{ kind, visitor: visitor(), ...about }], requestId: newKey() }).catch(() => {});
}

function visitor(): string {
  let id = sessionStorage.getItem(KEY);
  if (!id) {
    id = newKey();
    sessionStorage.setItem(KEY, id);
  }
  return id;
}

function wantsPrivacy(): boolean {
  return navigator.doNotTrack === "1" || (navigator as { globalPrivacyControl?: boolean }).globalPrivacyControl === true;
}
