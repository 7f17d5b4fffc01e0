// The shopper's orders, newest first.
import { useState } from "react";
import { explain, type Refusal } from "../api/errors";
import { format } from "../api/money";
import { day, machine } from "../api/time";
import { type Order, Order_State as State } from "../gen/cartwright/order/v1/order_pb";
import { Notice, Refused } from "../parts/Notice";
import { Page } from "../parts/Page";
import { Picture } from "../parts/Picture";
import { Link } from "../router/Link";
import { pageOf } from "../router/match";
import { useCartView, useShop, useWho } from "../state/context";
import { useCall } from "../state/use-call";
import { titleOf } from "./order/Timeline";

const PAGE_SIZE = 20;

export function OrdersPage() {
  const shop = useShop();
  const who = useWho();
  // Until the cart was asked for it is not known who is here.
  const known = useCartView().cart !== undefined || who.kind !== "nobody";
  const subject = who.kind === "nobody" ? "" : who.subject;
  const first = useCall(subject, (signal) => shop.order.listOrders({ pageSize: PAGE_SIZE }, { signal }));
  const [more, setMore] = useState<{ orders: Order[]; next: string; refusal?: Refusal }>();
  const next = more?.next ?? first.data?.nextPageToken ?? "";
  const orders = [...(first.data?.orders ?? []), ...(more?.orders ?? [])];

  const showMore = async () => {
    try {
      const page = await shop.order.listOrders({ pageSize: PAGE_SIZE, pageToken: next });
      setMore({ orders: [...(more?.orders ?? []), ...page.orders], next: page.nextPageToken });
    } catch (error) {
      setMore({ orders: more?.orders ?? [], next, refusal: explain(error) });
    }
  };

  if (who.kind === "nobody" && known) {
    return (
      <Page title="Your orders" narrow lead="Sign in to see what you bought.">
        <Link to="/sign-in?next=/orders" className="button main">
          Sign in
        </Link>
      </Page>
    );
  }
  return (
    <Page title="Your orders">
      {first.refusal && <Refused refusal={first.refusal} again={first.again} />}
      {first.data && orders.length === 0 && (
        <Notice title="No orders yet." action={<Link to="/">Look around</Link>}>
          What you buy is found here.
        </Notice>
      )}
      <ul className="orders" aria-busy={first.loading}>
        {orders.map((order) => (
          <li key={order.name}>
            <Row order={order} />
          </li>
        ))}
      </ul>
      {more?.refusal && <Refused refusal={more.refusal} />}
      {next && (
        <button type="button" className="button more" onClick={() => void showMore()}>
          Show more
        </button>
      )}
    </Page>
  );
}

function Row({ order }: { order: Order }) {
  const tone = order.state === State.CANCELLED || order.state === State.RETURNED ? "off" : order.state === State.DELIVERED ? "done" : "on";
  return (
    <Link to={pageOf(order.name)} className="panel order-row">
      <div className="order-pictures">
        {order.lines.slice(0, 3).map((line) => (
          <Picture key={line.lineId} image="" seed={line.sku} />
        ))}
      </div>
      <div>
        <strong>{order.lines.map((line) => line.title).join(", ")}</strong>
        <span className="quiet">
          <time dateTime={machine(order.createTime)}>{day(order.createTime)}</time> · {order.number}
        </span>
      </div>
      <span className={`state ${tone}`}>{titleOf(order.state)}</span>
      <span className="amount">{format(order.total)}</span>
    </Link>
  );
}
