// How far an order has got, step by step.
import { cancelled } from "../../api/messages";
import { machine, moment } from "../../api/time";
import { type Order, Order_State as State } from "../../gen/cartwright/order/v1/order_pb";
import { Cross, Tick } from "../../parts/icons";

const STEPS: [State, string, string][] = [
  [State.PLACED, "Placed", "We have your order and are securing stock and payment."],
  [State.CONFIRMED, "Confirmed", "Everything is secured. We are packing it."],
  [State.SHIPPED, "On its way", "The carrier has it."],
  [State.DELIVERED, "Delivered", "It has arrived."],
];

const TITLES: Record<State, string> = {
  [State.UNSPECIFIED]: "Unknown",
  [State.PLACED]: "Placed",
  [State.CONFIRMED]: "Confirmed",
  [State.SHIPPED]: "On its way",
  [State.DELIVERED]: "Delivered",
  [State.CANCELLED]: "Cancelled",
  [State.RETURNED]: "Returned",
};

export function titleOf(state: State): string {
  return TITLES[state] ?? "Unknown";
}

export function Timeline({ order }: { order: Order }) {
  const when = (state: State) => order.history.find((step) => step.state === state)?.time;
  const stopped = order.state === State.CANCELLED || order.state === State.RETURNED;
  // A cancelled order shows how far it got, and that it ended.
  const reached = STEPS.filter(([state]) => when(state) !== undefined);
  const shown = stopped ? reached : STEPS;
  const now = STEPS.findIndex(([state]) => state === order.state);
  return (
    <ol className="timeline">
      {shown.map(([state, title, about], index) => {
        const done = stopped || index <= now;
        const current = !stopped && index === now;
        return (
          <li key={state} className={current ? "step done current" : done ? "step done" : "step"} aria-current={current ? "step" : undefined}>
            <span className="mark" aria-hidden="true">
              {done && <Tick />}
            </span>
            <div>
              <strong>{title}</strong>
              {done && when(state) && <time dateTime={machine(when(state))}>{moment(when(state))}</time>}
              {current && <p>{about}</p>}
            </div>
          </li>
        );
      })}
      {stopped && (
        <li className="step done stopped" aria-current="step">
          <span className="mark" aria-hidden="true">
            {order.state === State.CANCELLED ? <Cross /> : <Tick />}
          </span>
          <div>
            <strong>{titleOf(order.state)}</strong>
            <time dateTime={machine(when(order.state))}>{moment(when(order.state))}</time>
            {order.state === State.CANCELLED && <p>{cancelled(order.cancelReason) || "It will not be carried out."}</p>}
          </div>
        </li>
      )}
    </ol>
  );
}
