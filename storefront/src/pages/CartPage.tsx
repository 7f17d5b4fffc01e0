// What the shopper intends to buy.
import { useEffect, useState } from "react";
import { explain, type Refusal } from "../api/errors";
import { compare, format, isPositive, negative } from "../api/money";
import type { Cart } from "../gen/cartwright/cart/v1/cart_pb";
import { Refused } from "../parts/Notice";
import { Page } from "../parts/Page";
import { Link } from "../router/Link";
import { pieces } from "../state/cart";
import { useCart, useCartView } from "../state/context";
import { Coupon } from "./cart/Coupon";
import { Lines } from "./cart/Lines";

export function CartPage() {
  const state = useCart();
  const { cart, busy } = useCartView();
  const [refusal, setRefusal] = useState<Refusal>();
  const load = () => {
    setRefusal(undefined);
    state.load().catch((error) => setRefusal(explain(error)));
  };
  // Prices and stock may have changed since it was last read.
  useEffect(load, [state]);

  if (refusal && !cart) {
    return (
      <Page title="Cart" narrow>
        <Refused refusal={refusal} again={load} />
      </Page>
    );
  }
  if (cart === undefined) return <Page title="Cart" lead="One moment…" />;
  if (pieces(cart) === 0) {
    return (
      <Page title="Your cart is empty" narrow lead="There is a lot to look at.">
        <Link to="/" className="button">
          Look around
        </Link>
      </Page>
    );
  }
  return (
    <Page title="Cart">
      <div className="with-aside">
        <Lines cart={cart!} />
        <aside className="panel summary" aria-label="Sum" aria-busy={busy}>
          <Coupon cart={cart!} />
          <Sum cart={cart!} />
          <Link to="/checkout" className="button main">
            To the checkout
          </Link>
          <p className="hint">Prices include tax. Sending is counted at the checkout.</p>
        </aside>
      </div>
    </Page>
  );
}

function Sum({ cart }: { cart: Cart }) {
  const { subtotal, discount } = cart;
  const lowered = isPositive(discount) && subtotal && compare(subtotal, discount) >= 0;
  return (
    <dl className="sum" aria-live="polite">
      <div className={lowered ? undefined : "total"}>
        <dt>Subtotal</dt>
        <dd>{format(subtotal)}</dd>
      </div>
      {lowered && (
        <div>
          <dt>Coupon</dt>
          <dd>{format(negative(discount))}</dd>
        </div>
      )}
    </dl>
  );
}
