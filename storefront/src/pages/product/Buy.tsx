// Choosing a variant and putting it in the cart.
import { useEffect, useState } from "react";
import { record } from "../../api/behaviour";
import { explain, type Refusal } from "../../api/errors";
import { Behaviour_Kind } from "../../gen/cartwright/analytics/v1/analytics_pb";
import type { Product, Variant } from "../../gen/cartwright/catalog/v1/catalog_pb";
import { Refused } from "../../parts/Notice";
import { Tick } from "../../parts/icons";
import { Price } from "../../parts/Price";
import { Quantity } from "../../parts/Quantity";
import { Link } from "../../router/Link";
import { useCart, useNews, useShop } from "../../state/context";
import { choices, choose } from "./options";
import { useStock } from "./use-stock";

type Props = { product: Product; variants: Variant[]; variant: Variant; onChoose: (variant: Variant) => void };

export function Buy({ product, variants, variant, onChoose }: Props) {
  const shop = useShop();
  const cart = useCart();
  const news = useNews();
  const stock = useStock(variants.filter((one) => one.stocked).map((one) => one.sku));
  const [quantity, setQuantity] = useState(1);
  const [state, setState] = useState<{ adding?: boolean; added?: boolean; refusal?: Refusal }>({});
  useEffect(() => setState({}), [variant]);

  const available = variant.stocked ? stock[variant.sku] : undefined;
  const gone = available === 0n;
  const most = available === undefined ? 999 : Math.max(1, Math.min(999, Number(available)));
  const add = async () => {
    setState({ adding: true });
    try {
      await cart.add(variant.name, BigInt(Math.min(quantity, most)));
      setState({ added: true });
      setQuantity(1);
      news.set(`${product.title} is in the cart`);
      record(shop, Behaviour_Kind.ADD_TO_CART, { product: product.name });
    } catch (error) {
      setState({ refusal: explain(error) });
    }
  };

  return (
    <div className="buy">
      <Price price={variant.price} before={variant.compareAtPrice} />
      <Options product={product} variants={variants} variant={variant} stock={stock} onChoose={onChoose} />
      <Availability stocked={variant.stocked} available={available} />
      <div className="buy-row">
        <Quantity label="How many" value={Math.min(quantity, most)} most={most} disabled={gone} onChange={setQuantity} />
        <button type="button" className="button main" disabled={gone || state.adding} onClick={() => void add()}>
          {gone ? "Sold out" : state.adding ? "One moment…" : "Add to cart"}
        </button>
      </div>
      {state.refusal && <Refused refusal={state.refusal} again={() => void add()} />}
      {state.added && (
        <p className="added">
          <Tick /> In your cart. <Link to="/cart">Go to the cart</Link>
        </p>
      )}
    </div>
  );
}

function Availability({ stocked, available }: { stocked: boolean; available: bigint | undefined }) {
  let [kind, words] = ["plenty", "In stock"];
  if (!stocked) words = "Always available";
  else if (available === undefined) [kind, words] = ["unknown", "Looking in the warehouse…"];
  else if (available === 0n) [kind, words] = ["none", "Sold out at the moment"];
  else if (available <= 5n) [kind, words] = ["few", `Only ${available} left`];
  else words = `In stock, ${available} pieces`;
  return (
    <p className={`availability ${kind}`} aria-live="polite">
      {words}
    </p>
  );
}

type OptionsProps = Props & { stock: Record<string, bigint> };

function Options({ product, variants, variant, stock, onChoose }: OptionsProps) {
  if (variants.length < 2) return null;
  const out = (one: Variant) => one.stocked && stock[one.sku] === 0n;
  if (product.options.length === 0) {
    const pick = (sku: string) => onChoose(variants.find((one) => one.sku === sku) ?? variant);
    return (
      <Pills
        name="Variant"
        chosen={variant.sku}
        values={variants.map((one) => ({ value: one.sku, label: one.title || one.sku, out: out(one) }))}
        onPick={pick}
      />
    );
  }
  return choices(product, variants).map(({ name, values }, index) => (
    <Pills
      key={name}
      name={name}
      chosen={variant.optionValues[index] ?? ""}
      values={values.map((value) => ({ value, label: value, out: out(choose(variants, variant, index, value)) }))}
      onPick={(value) => onChoose(choose(variants, variant, index, value))}
    />
  ));
}

type PillsProps = { name: string; chosen: string; values: { value: string; label: string; out: boolean }[]; onPick: (value: string) => void };

function Pills({ name, chosen, values, onPick }: PillsProps) {
  return (
    <fieldset className="pills">
      <legend>{name}</legend>
      {values.map(({ value, label, out }) => (
        <label key={value} className={out ? "pill out" : "pill"}>
          <input type="radio" name={`option-${name}`} checked={chosen === value} onChange={() => onPick(value)} />
          <span>{label}</span>
        </label>
      ))}
    </fieldset>
  );
}
