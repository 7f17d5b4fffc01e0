// What is bought, and what it comes to.
import { format, isPositive, negative } from "../../api/money";
import type { Cart } from "../../gen/cartwright/cart/v1/cart_pb";
import { type Quote, type QuoteProblem, QuoteProblem_Kind as Kind } from "../../gen/cartwright/order/v1/order_pb";
import type { Money } from "../../gen/google/type/money_pb";
import { Picture } from "../../parts/Picture";
import { Link } from "../../router/Link";

/** Problems that are told beside their field instead. */
const ELSEWHERE = new Set([Kind.NOT_SHIPPABLE, Kind.CONTACT_MISSING]);

export function Summary({ cart, quote }: { cart: Cart; quote: Quote | undefined }) {
  const problems = quote?.problems ?? [];
  const ofLine = (variant: string) => problems.filter((problem) => problem.variant === variant);
  const others = problems.filter((problem) => !cart.lines.some((line) => line.variant === problem.variant) && !ELSEWHERE.has(problem.kind));
  return (
    <>
      <ul className="bill-lines">
        {cart.lines.map((line) => (
          <li key={line.variant}>
            <div className="bill-picture">
              <Picture image={line.image} seed={line.sku} />
              <span className="count">{String(line.quantity)}</span>
            </div>
            <div>
              <p>{line.title}</p>
              {ofLine(line.variant).map((problem, index) => (
                <p key={index} className="fault">
                  {words(problem)} <Link to="/cart">Change the cart</Link>
                </p>
              ))}
            </div>
            <p className="amount">{format(line.total)}</p>
          </li>
        ))}
      </ul>
      {others.map((problem, index) => (
        <p key={index} className="fault">
          {words(problem)} <Link to="/cart">Change the cart</Link>
        </p>
      ))}
      {quote && <Sums sums={quote} coupon={cart.couponCode} />}
    </>
  );
}

type Amounts = { subtotal?: Money; discount?: Money; shipping?: Money; tax?: Money; total?: Money };

export function Sums({ sums, coupon }: { sums: Amounts; coupon: string }) {
  return (
    <dl className="sum" aria-live="polite">
      <div>
        <dt>Subtotal</dt>
        <dd>{format(sums.subtotal)}</dd>
      </div>
      {isPositive(sums.discount) && (
        <div>
          <dt>Coupon {coupon}</dt>
          <dd>{format(negative(sums.discount))}</dd>
        </div>
      )}
      {sums.shipping && (
        <div>
          <dt>Sending</dt>
          <dd>{isPositive(sums.shipping) ? format(sums.shipping) : "Free"}</dd>
        </div>
      )}
      <div className="total">
        <dt>Total</dt>
        <dd>{format(sums.total)}</dd>
      </div>
      {isPositive(sums.tax) && (
        <div className="quiet">
          <dt>Tax in it</dt>
          <dd>{format(sums.tax)}</dd>
        </div>
      )}
    </dl>
  );
}

function words(problem: QuoteProblem): string {
  switch (problem.kind) {
    case Kind.OUT_OF_STOCK:
      return problem.available > 0n ? `Only ${problem.available} left.` : "Sold out at the moment.";
    case Kind.VARIANT_UNAVAILABLE:
      return "This is not sold any more.";
    default:
      return problem.message;
  }
}
