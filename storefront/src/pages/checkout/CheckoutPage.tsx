// The checkout: who, where, how, and what it comes to.
import { useEffect, useRef } from "react";
import { record } from "../../api/behaviour";
import { cancelled } from "../../api/messages";
import { format } from "../../api/money";
import { Behaviour_Kind } from "../../gen/cartwright/analytics/v1/analytics_pb";
import type { Cart } from "../../gen/cartwright/cart/v1/cart_pb";
import { QuoteProblem_Kind } from "../../gen/cartwright/order/v1/order_pb";
import { Field, showFault } from "../../parts/Field";
import { Notice, Refused } from "../../parts/Notice";
import { Page } from "../../parts/Page";
import { Link } from "../../router/Link";
import { pageOf } from "../../router/match";
import { pieces } from "../../state/cart";
import { useCartView, useShop } from "../../state/context";
import { Addressing } from "./Addressing";
import { Paying, Sending } from "./Choices";
import { Summary } from "./Summary";
import { type Outcome, useCheckout } from "./use-checkout";

export function CheckoutPage() {
  const { cart } = useCartView();
  if (cart === undefined) return <Page title="Checkout" lead="One moment…" />;
  if (cart === null || pieces(cart) === 0) {
    return (
      <Page title="Nothing to buy" narrow lead="Your cart is empty.">
        <Link to="/" className="button">
          Look around
        </Link>
      </Page>
    );
  }
  return <Checkout cart={cart} />;
}

function Checkout({ cart }: { cart: Cart }) {
  const shop = useShop();
  const form = useRef<HTMLFormElement>(null);
  const { draft, setDraft, guest, wrong, placing, outcome, quoted, blocking, kept, place } = useCheckout(cart);
  const quote = quoted.data;
  const change = (part: Partial<typeof draft>) => setDraft((now) => ({ ...now, ...part }));
  const unreachable = blocking.find((problem) => problem.kind === QuoteProblem_Kind.NOT_SHIPPABLE);

  useEffect(() => record(shop, Behaviour_Kind.BEGIN_CHECKOUT), [shop]);
  useEffect(() => {
    if (Object.keys(wrong).length > 0) showFault(form.current);
  }, [wrong]);

  return (
    <Page title="Checkout">
      <form
        ref={form}
        noValidate
        className="with-aside checkout"
        onSubmit={(event) => {
          event.preventDefault();
          void place();
        }}
      >
        <div className="steps">
          {guest && (
            <section className="panel" aria-labelledby="step-you">
              <h2 id="step-you">You</h2>
              <p className="quiet">
                Buying as a guest. <Link to="/sign-in?next=/checkout">Sign in</Link> to find your orders again.
              </p>
              <div className="fields">
                <Field
                  label="E-mail"
                  type="email"
                  wide
                  required
                  maxLength={254}
                  autoComplete="email"
                  hint="For news of your order, nothing else."
                  value={draft.email}
                  fault={wrong["email"]}
                  onChange={(event) => change({ email: event.target.value })}
                />
              </div>
            </section>
          )}
          <section className="panel" aria-labelledby="step-where">
            <h2 id="step-where">Where it goes</h2>
            <Addressing
              address={draft.address}
              faults={wrong}
              countryFault={unreachable && "We do not send to this country."}
              kept={kept}
              onChange={(address) => {
                // Another country is sent to in other ways.
                const moved = address.countryCode !== draft.address.countryCode;
                change(moved ? { address, rate: "" } : { address });
              }}
            />
            {!guest && (
              <label className="check">
                <input type="checkbox" checked={draft.keepAddress} onChange={(event) => change({ keepAddress: event.target.checked })} />
                <span>Keep this address for next time</span>
              </label>
            )}
          </section>
          <section className="panel" aria-labelledby="step-how">
            <h2 id="step-how">How it is sent</h2>
            <Sending
              options={quote?.shippingOptions ?? []}
              chosen={quote?.shippingRate ?? ""}
              waiting={quoted.loading}
              onPick={(rate) => change({ rate })}
            />
          </section>
          <section className="panel" aria-labelledby="step-pay">
            <h2 id="step-pay">How it is paid</h2>
            <Paying token={draft.token} onPick={(token) => change({ token })} />
          </section>
        </div>
        <aside className="panel summary" aria-labelledby="step-sum" aria-busy={quoted.loading}>
          <h2 id="step-sum">Your order</h2>
          {quoted.refusal && <Refused refusal={quoted.refusal} again={quoted.again} />}
          <Summary cart={cart} quote={quote} />
          {outcome && <Told outcome={outcome} again={() => void place()} />}
          <button type="submit" className="button main" disabled={placing || quoted.loading || !quote?.total || blocking.length > 0}>
            {placing ? "Placing your order…" : quote?.total ? `Pay ${format(quote.total)}` : "Pay"}
          </button>
          <p className="hint">You are charged once, however often you click.</p>
        </aside>
      </form>
    </Page>
  );
}

function Told({ outcome, again }: { outcome: Outcome; again: () => void }) {
  switch (outcome.kind) {
    case "refused": {
      const { refusal } = outcome;
      const uncertain = refusal.transient ? " Trying again is safe: nothing is bought twice." : "";
      return <Refused refusal={{ ...refusal, message: refusal.message + uncertain }} again={again} />;
    }
    case "price-changed":
      return (
        <Notice tone="bad" title="The price has changed.">
          {outcome.total ? `The total is now ${format(outcome.total)}. ` : ""}Nothing was charged. Please look it over and confirm.
        </Notice>
      );
    case "cancelled":
      return (
        <Notice tone="bad" title={cancelled(outcome.reason) || "The order could not be carried out."}>
          Nothing was charged, and your cart is as it was. <Link to={pageOf(outcome.order)}>See the order</Link>
        </Notice>
      );
  }
}
