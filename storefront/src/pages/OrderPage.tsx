// One order, live: how far it has got, what is in it, where it goes.
import { Code } from "@connectrpc/connect";
import { useEffect, useRef, useState } from "react";
import type { Link as LinkState } from "../api/watch";
import { format } from "../api/money";
import { day, wait } from "../api/time";
import { type Order, Order_PaymentState as Payment, Order_State as State } from "../gen/cartwright/order/v1/order_pb";
import { countryName } from "../parts/countries";
import { Notice, Refused } from "../parts/Notice";
import { Page } from "../parts/Page";
import { Picture } from "../parts/Picture";
import { useQuery } from "../router/location";
import { Link } from "../router/Link";
import { useNews, useShop, useWho } from "../state/context";
import { useCall } from "../state/use-call";
import { useWatch } from "../state/use-watch";
import { productPage } from "./cart/Lines";
import { Sums } from "./checkout/Summary";
import { MissingPage } from "./MissingPage";
import { Again } from "./order/Again";
import { Cancel } from "./order/Cancel";
import { Parcels } from "./order/Parcels";
import { Timeline, titleOf } from "./order/Timeline";

/** What is given back arrives after the last word of the stream: it is asked for this often. */
const BACK_EVERY_MS = 2_000;
const BACK_TRIES = 10;

const ENDED = new Set([State.DELIVERED, State.CANCELLED, State.RETURNED]);

export function OrderPage({ order: id }: { order: string }) {
  const name = `orders/${id}`;
  const shop = useShop();
  const read = useCall(name, (signal) => shop.order.getOrder({ name }, { signal }));
  const { refusal } = read;
  if (refusal?.code === Code.NotFound || refusal?.code === Code.InvalidArgument) return <MissingPage what="order" />;
  if (refusal?.code === Code.Unauthenticated) {
    return (
      <Page title="Your order" narrow lead="Please sign in to see it.">
        <Link to={`/sign-in?next=/orders/${encodeURIComponent(id)}`} className="button main">
          Sign in
        </Link>
      </Page>
    );
  }
  if (!read.data) {
    return (
      <Page title="Your order" lead={refusal ? undefined : "One moment…"}>
        {refusal && <Refused refusal={refusal} again={read.again} />}
      </Page>
    );
  }
  return <Live first={read.data} />;
}

function Live({ first }: { first: Order }) {
  const shop = useShop();
  const news = useNews();
  const thanks = useQuery().has("thanks");
  const [latest, setLatest] = useState(first);
  // What was read last need not be what happened last.
  const take = (told: Order) => setLatest((before) => (told.version >= before.version ? told : before));
  useEffect(() => take(first), [first]);
  const order = latest;
  const link = useWatch<Order>(ENDED.has(first.state) ? "" : first.name, {
    open: (signal) => shop.order.watchOrder({ name: first.name }, { signal, timeoutMs: 0 }),
    told: (told) => {
      take(told);
      return ENDED.has(told.state);
    },
  });
  useGivenBack(order, take);
  const said = useRef(order.state);
  useEffect(() => {
    if (said.current === order.state) return;
    said.current = order.state;
    news.set(`The order is now: ${titleOf(order.state)}`);
  }, [news, order.state]);

  const cancellable = order.state === State.PLACED || order.state === State.CONFIRMED;
  const fresh = thanks && order.state !== State.CANCELLED;
  return (
    <Page
      title={`Order ${order.number}`}
      heading={fresh ? "Thank you for your order" : `Order ${order.number}`}
      lead={fresh ? `Order ${order.number} of ${day(order.createTime)}` : `Placed on ${day(order.createTime)}`}
    >
      <div className="with-aside">
        <div className="steps">
          <section className="panel" aria-labelledby="state">
            <div className="panel-top">
              <h2 id="state">{titleOf(order.state)}</h2>
              <Pulse link={link} ended={ENDED.has(order.state)} />
            </div>
            <Timeline order={order} />
          </section>
          <Parcels order={order} />
          <section className="panel" aria-labelledby="content">
            <h2 id="content">What is in it</h2>
            <Content order={order} />
          </section>
        </div>
        <aside className="panel summary" aria-label="Details">
          <Sums sums={order} coupon={order.couponCode} />
          <Paid order={order} />
          <Where order={order} />
          {cancellable && <Cancel order={order} onDone={take} />}
          {order.state === State.CANCELLED && <Again order={order} />}
          <Guest />
        </aside>
      </div>
    </Page>
  );
}

/** Reads a cancelled order again until its payment is given back, or patience ends. */
function useGivenBack(order: Order, take: (order: Order) => void) {
  const shop = useShop();
  const taken = order.paymentState === Payment.AUTHORIZED || order.paymentState === Payment.CAPTURED;
  const due = order.state === State.CANCELLED && taken;
  useEffect(() => {
    if (!due) return;
    const leaving = new AbortController();
    void (async () => {
      for (let attempt = 0; attempt < BACK_TRIES; attempt += 1) {
        await wait(BACK_EVERY_MS, leaving.signal);
        if (leaving.signal.aborted) return;
        // Whoever waits longer loads the page again.
        await shop.order.getOrder({ name: order.name }, { signal: leaving.signal }).then(take, () => {});
      }
    })();
    return () => leaving.abort();
  }, [shop, order.name, due]);
}

/** Whether what is seen is what is. */
function Pulse({ link, ended }: { link: LinkState; ended: boolean }) {
  if (ended) return null;
  const live = link === "live";
  return <span className={live ? "pulse live" : "pulse"}>{live ? "Live" : "Reconnecting…"}</span>;
}

function Content({ order }: { order: Order }) {
  return (
    <ul className="bill-lines">
      {order.lines.map((line) => (
        <li key={line.lineId}>
          <div className="bill-picture">
            <Picture image="" seed={line.sku} />
            <span className="count">{String(line.quantity)}</span>
          </div>
          <div>
            <Link to={productPage(line.variant)}>{line.title}</Link>
            <p className="quiet">
              {format(line.unitPrice)} each
              {line.returnedQuantity > 0n && `, ${line.returnedQuantity} came back`}
            </p>
          </div>
          <p className="amount">{format(line.total)}</p>
        </li>
      ))}
    </ul>
  );
}

const PAID: Partial<Record<Payment, string>> = {
  [Payment.PENDING]: "Payment is being secured.",
  [Payment.AUTHORIZED]: "The amount is reserved on your card.",
  [Payment.CAPTURED]: "Paid.",
  [Payment.VOIDED]: "Nothing was charged.",
  [Payment.PARTIALLY_REFUNDED]: "Part of it was given back.",
  [Payment.REFUNDED]: "Everything was given back.",
};

/** The same, once the order is cancelled. */
const GIVEN_BACK: Partial<Record<Payment, string>> = {
  ...PAID,
  [Payment.PENDING]: "Nothing was charged.",
  [Payment.AUTHORIZED]: "The amount on your card is being released.",
  [Payment.CAPTURED]: "Your money is on its way back to you.",
};

function Paid({ order }: { order: Order }) {
  const words = (order.state === State.CANCELLED ? GIVEN_BACK : PAID)[order.paymentState];
  return words ? <p className="hint">{words}</p> : null;
}

function Where({ order }: { order: Order }) {
  const address = order.shippingAddress;
  if (!address) return null;
  const town = [address.postalCode, address.city].filter(Boolean).join(" ");
  const parts = [address.recipient, address.line1, address.line2, town, address.region, countryName(address.countryCode)];
  return (
    <address>
      {parts.filter(Boolean).map((part, index) => (
        <span key={index}>{part}</span>
      ))}
    </address>
  );
}

function Guest() {
  if (useWho().kind !== "guest") return null;
  return <Notice>You bought as a guest: this page can be seen in this tab only, until you close it.</Notice>;
}
