// The lines of a cart, with what stands in the way of each.
import { useEffect, useState } from "react";
import { explain, type Refusal } from "../../api/errors";
import { format } from "../../api/money";
import { type Cart, type CartLine, type CartProblem, CartProblem_Kind as Kind } from "../../gen/cartwright/cart/v1/cart_pb";
import { Refused } from "../../parts/Notice";
import { Picture } from "../../parts/Picture";
import { Quantity } from "../../parts/Quantity";
import { Link } from "../../router/Link";
import { pageOf } from "../../router/match";
import { useCart, useNews } from "../../state/context";

const SETTLE_MS = 350;

export function Lines({ cart }: { cart: Cart }) {
  return (
    <ul className="lines">
      {cart.lines.map((line) => (
        <Line key={line.variant} line={line} problems={cart.problems.filter((problem) => problem.variant === line.variant)} />
      ))}
    </ul>
  );
}

/** The product's page: `products/1` of `products/1/variants/2`. */
export function productPage(variant: string): string {
  return pageOf(variant.split("/").slice(0, 2).join("/"));
}

function Line({ line, problems }: { line: CartLine; problems: CartProblem[] }) {
  const cart = useCart();
  const news = useNews();
  const [wanted, setWanted] = useState(Number(line.quantity));
  const [refusal, setRefusal] = useState<Refusal>();
  useEffect(() => setWanted(Number(line.quantity)), [line.quantity]);

  const change = async (quantity: number) => {
    setRefusal(undefined);
    try {
      await cart.setQuantity(line.variant, BigInt(quantity));
      news.set(quantity === 0 ? `${line.title} is out of the cart` : `${quantity} of ${line.title} in the cart`);
    } catch (error) {
      setWanted(Number(line.quantity));
      setRefusal(explain(error));
    }
  };
  useEffect(() => {
    // Three quick clicks are one change.
    if (wanted === Number(line.quantity)) return;
    const timer = setTimeout(() => void change(wanted), SETTLE_MS);
    return () => clearTimeout(timer);
  }, [wanted]);

  return (
    <li className="line">
      <Link to={productPage(line.variant)} className="line-picture" tabIndex={-1} aria-hidden="true">
        <Picture image={line.image} seed={line.sku} />
      </Link>
      <div className="line-words">
        <Link to={productPage(line.variant)} className="line-title">
          {line.title}
        </Link>
        <p className="quiet">{format(line.unitPrice)} each</p>
        {problems.map((problem, index) => (
          <Problem key={index} problem={problem} line={line} onTake={setWanted} />
        ))}
        {refusal && <Refused refusal={refusal} />}
      </div>
      <div className="line-quantity">
        <Quantity label={`How many of ${line.title}`} value={wanted} onChange={setWanted} />
        <button type="button" className="plain small" onClick={() => void change(0)} aria-label={`Remove ${line.title}`}>
          Remove
        </button>
      </div>
      <p className="line-total">{format(line.total)}</p>
    </li>
  );
}

function Problem({ problem, line, onTake }: { problem: CartProblem; line: CartLine; onTake: (quantity: number) => void }) {
  switch (problem.kind) {
    case Kind.OUT_OF_STOCK:
      return (
        <p className="fault">
          {problem.available === 0n ? "Sold out at the moment." : `Only ${problem.available} left.`}{" "}
          {problem.available > 0n && (
            <button type="button" className="plain small" onClick={() => onTake(Number(problem.available))}>
              Take {String(problem.available)}
            </button>
          )}
        </p>
      );
    case Kind.PRICE_CHANGED:
      return <p className="hint">The price was {format(line.addedPrice)} when you put it in.</p>;
    case Kind.UNAVAILABLE:
      return <p className="fault">This is not sold any more.</p>;
    default:
      return <p className="fault">{problem.message}</p>;
  }
}
