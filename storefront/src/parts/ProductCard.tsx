// A product among others.
import { compare } from "../api/money";
import { pageOf } from "../router/match";
import { Link } from "../router/Link";
import { type Product, type Variant, Variant_State } from "../gen/cartwright/catalog/v1/catalog_pb";
import { Picture } from "./Picture";
import { Price } from "./Price";

/** What can be bought of a product. */
export function sold(product: Product): Variant[] {
  return product.variants.filter((variant) => variant.state !== Variant_State.ARCHIVED);
}

export function ProductCard({ product, badge }: { product: Product; badge?: string }) {
  const variants = sold(product);
  const cheapest = variants.reduce<Variant | undefined>(
    (least, variant) => (!least?.price || (variant.price && compare(variant.price, least.price) < 0) ? variant : least),
    undefined,
  );
  const differ = variants.some((variant) => variant.price && cheapest?.price && compare(variant.price, cheapest.price) !== 0);
  return (
    <Link className="card" to={pageOf(product.name)}>
      <div className="card-picture">
        <Picture image={product.images[0] ?? ""} seed={cheapest?.sku ?? product.name} />
        {badge && <span className="badge">{badge}</span>}
      </div>
      <div className="card-words">
        <h3>{product.title}</h3>
        <Price price={cheapest?.price} before={cheapest?.compareAtPrice} from={differ} />
      </div>
    </Link>
  );
}

export function ProductGrid({ products, badges }: { products: Product[]; badges?: Record<string, string> }) {
  return (
    <ul className="grid">
      {products.map((product) => (
        <li key={product.name}>
          <ProductCard product={product} badge={badges?.[product.name]} />
        </li>
      ))}
    </ul>
  );
}

/** Holds the place of products that are being read. */
export function GridWaiting({ count = 8 }: { count?: number }) {
  return (
    <ul className="grid" aria-hidden="true">
      {Array.from({ length: count }, (_, index) => (
        <li key={index} className="card waiting">
          <div className="card-picture" />
          <div className="card-words">
            <span className="bar" />
            <span className="bar short" />
          </div>
        </li>
      ))}
    </ul>
  );
}
