// Buying what is in the cart: what is filled in, what stands in the way, and the purchase itself.
import { useEffect, useMemo, useRef, useState } from "react";
import { explain, type Refusal } from "../../api/errors";
import { compare, parse } from "../../api/money";
import { Till } from "../../api/place";
import { once } from "../../api/retry";
import type { Cart } from "../../gen/cartwright/cart/v1/cart_pb";
import { Order_State, QuoteProblem_Kind as Kind } from "../../gen/cartwright/order/v1/order_pb";
import type { Money } from "../../gen/google/type/money_pb";
import { navigate } from "../../router/location";
import { pageOf } from "../../router/match";
import { pieces } from "../../state/cart";
import { useCart, useNews, useShop, useWho } from "../../state/context";
import { useCall } from "../../state/use-call";
import { type Draft, emptyDraft, faults, fromKept, trimmed } from "./draft";
import { useQuote } from "./use-quote";

/** What became of the last try. */
export type Outcome =
  | { kind: "refused"; refusal: Refusal }
  | { kind: "price-changed"; total: Money | undefined }
  | { kind: "cancelled"; order: string; reason: string };

const BOUGHT = new Set(["CART_ALREADY_ORDERED", "CART_CLOSED"]);

export function useCheckout(cart: Cart) {
  const shop = useShop();
  const who = useWho();
  const carts = useCart();
  const news = useNews();
  const guest = who.kind !== "user";
  const till = useMemo(() => new Till(shop), [shop]);
  const [draft, setDraft] = useState<Draft>(emptyDraft);
  const [wrong, setWrong] = useState<Record<string, string>>({});
  const [placing, setPlacing] = useState(false);
  const [outcome, setOutcome] = useState<Outcome>();
  const told = useRef("");

  const quoted = useQuote(cart, draft.address.countryCode, draft.rate, () => setDraft((now) => ({ ...now, rate: "" })));
  const quote = quoted.data;
  const blocking = (quote?.problems ?? []).filter((problem) => problem.kind !== Kind.CONTACT_MISSING);

  const kept = useCall(guest ? "" : who.subject, (signal) => shop.identity.listAddresses({ parent: "users/me" }, { signal }));
  const preferred = kept.data?.addresses[0]?.postalAddress;
  useEffect(() => {
    // Nothing typed is overwritten.
    if (preferred) setDraft((now) => (now.address.line1 || now.address.recipient ? now : { ...now, address: fromKept(preferred) }));
  }, [preferred]);

  const refuse = async (error: unknown, shown: Money) => {
    const refusal = explain(error);
    setWrong(refusal.fields);
    if (BOUGHT.has(refusal.reason)) {
      // An earlier answer got lost, or another tab was faster.
      const { order } = await shop.cart.getCart({ name: cart.name }).catch(() => ({ order: "" }));
      void carts.load().catch(() => {});
      if (order) return navigate(pageOf(order), { replace: true });
    }
    if (refusal.reason === "PRICE_CHANGED") {
      const total = parse(refusal.metadata["total"], refusal.metadata["currency"]);
      setOutcome({ kind: "price-changed", total: total && compare(total, shown) !== 0 ? total : undefined });
      quoted.again();
    } else {
      setOutcome({ kind: "refused", refusal });
      // What was shown is out of date: the shelf, the rate or the coupon.
      if (!refusal.transient) quoted.again();
    }
  };

  const place = async () => {
    const missing = faults(draft, guest);
    setWrong(missing);
    const expectedTotal = quote?.total;
    if (Object.keys(missing).length > 0 || !quote || !expectedTotal || placing) return;
    setPlacing(true);
    setOutcome(undefined);
    const address = trimmed(draft.address);
    try {
      const email = draft.email.trim();
      if (guest && told.current !== email) {
        await shop.identity.setGuestContact({ email, locale: navigator.language });
        told.current = email;
      }
      const order = await till.place({
        cart: cart.name,
        shippingAddress: address,
        shippingRate: quote.shippingRate,
        couponCode: cart.couponCode,
        paymentMethod: { channel: "sandbox", token: draft.token },
        expectedTotal,
      });
      if (!guest && draft.keepAddress) {
        once((requestId) => shop.identity.createAddress({ parent: "users/me", address: { postalAddress: address }, requestId })).catch(() => {});
      }
      if (order.state === Order_State.CANCELLED) {
        // Asking its price has the cart given back, should cart not have heard of the end yet.
        await shop.order.quoteOrder({ cart: cart.name }).catch(() => null);
        // Where the cart is still there, another card can be tried at once.
        if (pieces(await carts.load().catch(() => null)) > 0) {
          return setOutcome({ kind: "cancelled", order: order.name, reason: order.cancelReason });
        }
        return navigate(pageOf(order.name), { replace: true });
      }
      news.set("Thank you, the order is placed");
      navigate(`${pageOf(order.name)}?thanks`, { replace: true });
      carts.load().catch(() => {});
    } catch (error) {
      await refuse(error, expectedTotal);
    } finally {
      setPlacing(false);
    }
  };

  return { draft, setDraft, guest, wrong, placing, outcome, quoted, blocking, kept: kept.data?.addresses ?? [], place };
}
