// What the order would cost, anew whenever something changes that counts.
import { useEffect } from "react";
import type { Cart } from "../../gen/cartwright/cart/v1/cart_pb";
import { useShop } from "../../state/context";
import { useCall } from "../../state/use-call";

/** An empty rate counts the cheapest. A rate that is not offered (any more) is given back by `dropRate`. */
export function useQuote(cart: Cart, countryCode: string, rate: string, dropRate: () => void) {
  const shop = useShop();
  const key = [cart.name, cart.etag, countryCode, rate].join(" ");
  const called = useCall(key, async (signal) => ({
    rate,
    quote: await shop.order.quoteOrder({ cart: cart.name, countryCode, shippingRate: rate }, { signal }),
  }));
  const { data, refusal, loading } = called;
  const answered = data && !loading && data.rate === rate;
  const missing = answered && !data.quote.shippingOptions.some((option) => option.rate === rate);
  const gone = rate !== "" && (missing || (!loading && refusal?.reason === "SHIPPING_RATE_UNAVAILABLE"));
  useEffect(() => {
    if (gone) dropRate();
  }, [gone]);
  return { ...called, data: data?.quote };
}
