// Cancelling an order, after asking once more.
import { useRef, useState } from "react";
import { explain, type Refusal } from "../../api/errors";
import { once } from "../../api/retry";
import type { Order } from "../../gen/cartwright/order/v1/order_pb";
import { Refused } from "../../parts/Notice";
import { useNews, useShop } from "../../state/context";

export function Cancel({ order, onDone }: { order: Order; onDone: (order: Order) => void }) {
  const shop = useShop();
  const news = useNews();
  const dialog = useRef<HTMLDialogElement>(null);
  const [busy, setBusy] = useState(false);
  const [refusal, setRefusal] = useState<Refusal>();

  const cancel = async () => {
    setBusy(true);
    setRefusal(undefined);
    try {
      onDone(await once((requestId) => shop.order.cancelOrder({ name: order.name, requestId })));
      news.set("The order is being cancelled");
      dialog.current?.close();
    } catch (error) {
      setRefusal(explain(error));
    } finally {
      setBusy(false);
    }
  };

  return (
    <>
      <button type="button" className="button quiet-button" onClick={() => dialog.current?.showModal()}>
        Cancel the order
      </button>
      <dialog ref={dialog} aria-labelledby="cancel-title">
        <h2 id="cancel-title">Cancel this order?</h2>
        <p>What you paid is given back. This cannot be undone.</p>
        {refusal && <Refused refusal={refusal} />}
        <div className="dialog-row">
          <button type="button" className="button quiet-button" onClick={() => dialog.current?.close()}>
            Keep it
          </button>
          <button type="button" className="button danger" disabled={busy} onClick={() => void cancel()}>
            {busy ? "One moment…" : "Cancel the order"}
          </button>
        </div>
      </dialog>
    </>
  );
}
