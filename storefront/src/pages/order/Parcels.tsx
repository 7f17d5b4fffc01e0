// Where the parcels of an order are, live.
import { useState } from "react";
import { machine, moment } from "../../api/time";
import { type Order, Order_State } from "../../gen/cartwright/order/v1/order_pb";
import { type Shipment, Shipment_State as State } from "../../gen/cartwright/shipping/v1/shipping_pb";
import { useShop } from "../../state/context";
import { useCall } from "../../state/use-call";
import { useWatch } from "../../state/use-watch";

const WORDS: Record<State, string> = {
  [State.UNSPECIFIED]: "",
  [State.PENDING]: "Being packed",
  [State.DISPATCHED]: "Handed to the carrier",
  [State.IN_TRANSIT]: "On its way",
  [State.OUT_FOR_DELIVERY]: "In the last van",
  [State.DELIVERED]: "Delivered",
  [State.CANCELLED]: "Cancelled",
};

const ENDED = new Set([State.DELIVERED, State.CANCELLED]);

/** Asked anew at each change of the order; without an answer nothing is shown. */
export function Parcels({ order }: { order: Order }) {
  const shop = useShop();
  const sent = order.state === Order_State.SHIPPED || order.state === Order_State.DELIVERED || order.state === Order_State.RETURNED;
  const { data } = useCall(sent ? `${order.name} ${order.version}` : "", (signal) =>
    shop.shipping.listShipments({ order: order.name }, { signal }),
  );
  return data?.shipments.map((shipment) => <Parcel key={shipment.name} shipment={shipment} />);
}

function Parcel({ shipment: first }: { shipment: Shipment }) {
  const shop = useShop();
  const [latest, setLatest] = useState<Shipment>();
  const shipment = latest ?? first;
  useWatch<Shipment>(ENDED.has(first.state) ? "" : first.name, {
    open: (signal) => shop.shipping.watchShipment({ name: first.name }, { signal, timeoutMs: 0 }),
    told: (told) => {
      setLatest(told);
      return ENDED.has(told.state);
    },
  });
  const events = [...shipment.trackingEvents].reverse();
  return (
    <section className="panel" aria-label="Parcel">
      <h2>Your parcel</h2>
      <p className="quiet">
        {[shipment.carrier, shipment.trackingNumber].filter(Boolean).join(" · ") || WORDS[shipment.state]}
      </p>
      <ul className="tracking">
        {events.map((event, index) => (
          <li key={index}>
            <time dateTime={machine(event.time)}>{moment(event.time)}</time>
            <span>{[event.description || WORDS[event.state], event.location].filter(Boolean).join(", ")}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}
