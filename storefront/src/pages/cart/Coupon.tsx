// A coupon, applied or to be applied.
import { useState } from "react";
import { explain, type Refusal } from "../../api/errors";
import { type Cart, CartProblem_Kind } from "../../gen/cartwright/cart/v1/cart_pb";
import { Cross } from "../../parts/icons";
import { Field } from "../../parts/Field";
import { useCart, useNews } from "../../state/context";

export function Coupon({ cart }: { cart: Cart }) {
  const state = useCart();
  const news = useNews();
  const [code, setCode] = useState("");
  const [busy, setBusy] = useState(false);
  const [refusal, setRefusal] = useState<Refusal>();
  const problem = cart.problems.find((one) => one.kind === CartProblem_Kind.COUPON_INVALID);

  const run = async (work: () => Promise<unknown>, done: string) => {
    setBusy(true);
    setRefusal(undefined);
    try {
      await work();
      setCode("");
      news.set(done);
    } catch (error) {
      setRefusal(explain(error));
    } finally {
      setBusy(false);
    }
  };

  if (cart.couponCode) {
    return (
      <div className="coupon">
        <p>
          Coupon{" "}
          <button
            type="button"
            className="chip"
            disabled={busy}
            aria-label={`Take coupon ${cart.couponCode} off`}
            onClick={() => void run(() => state.removeCoupon(), "The coupon is taken off")}
          >
            {cart.couponCode}
            <Cross />
          </button>
        </p>
        {(refusal || problem) && <p className="fault">{refusal?.message ?? problem?.message}</p>}
      </div>
    );
  }
  return (
    <form
      className="coupon"
      onSubmit={(event) => {
        event.preventDefault();
        if (code.trim()) void run(() => state.applyCoupon(code.trim()), "The coupon is applied");
      }}
    >
      <Field
        label="Coupon"
        value={code}
        maxLength={64}
        autoComplete="off"
        autoCapitalize="characters"
        spellCheck={false}
        fault={refusal ? (refusal.fields["code"] ?? refusal.message) : undefined}
        onChange={(event) => setCode(event.target.value)}
      />
      <button type="submit" className="button small" disabled={busy || !code.trim()}>
        Apply
      </button>
    </form>
  );
}
