// A price, and the higher one it was before.
import { compare, format } from "../api/money";
import type { Money } from "../gen/google/type/money_pb";

export function Price({ price, before, from = false }: { price: Money | undefined; before?: Money; from?: boolean }) {
  const lowered = price && before && compare(before, price) > 0;
  return (
    <span className="price">
      {from && <span className="quiet">from </span>}
      <span className={lowered ? "price-now lowered" : "price-now"}>{format(price)}</span>
      {lowered && (
        <s className="price-before">
          <span className="hidden">before </span>
          {format(before)}
        </s>
      )}
    </span>
  );
}
