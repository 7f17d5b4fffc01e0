// Puts what an order held into the cart.
import { useState } from "react";
import { explain, type Refusal } from "../../api/errors";
import type { Order } from "../../gen/cartwright/order/v1/order_pb";
import { Refused } from "../../parts/Notice";
import { navigate } from "../../router/location";
import { useCart } from "../../state/context";

export function Again({ order }: { order: Order }) {
  const cart = useCart();
  const [busy, setBusy] = useState(false);
  const [refusal, setRefusal] = useState<Refusal>();
  const fill = async () => {
    setBusy(true);
    setRefusal(undefined);
    try {
      for (const line of order.lines) await cart.add(line.variant, line.quantity);
      navigate("/cart");
    } catch (error) {
      setRefusal(explain(error));
      setBusy(false);
    }
  };
  return (
    <>
      <button type="button" className="button" disabled={busy} onClick={() => void fill()}>
        {busy ? "One moment…" : "Put it in the cart again"}
      </button>
      {refusal && <Refused refusal={refusal} />}
    </>
  );
}
