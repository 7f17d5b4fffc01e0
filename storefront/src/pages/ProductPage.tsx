// One product: what it is, what it costs, how many there are, what goes with it.
import { Code } from "@connectrpc/connect";
import { useEffect, useState } from "react";
import { record } from "../api/behaviour";
import { Behaviour_Kind } from "../gen/cartwright/analytics/v1/analytics_pb";
import { type Product, Product_State } from "../gen/cartwright/catalog/v1/catalog_pb";
import { Notice, Refused } from "../parts/Notice";
import { Heading } from "../parts/Page";
import { Picture } from "../parts/Picture";
import { ProductGrid, sold } from "../parts/ProductCard";
import { Link } from "../router/Link";
import { useShop } from "../state/context";
import { useCall } from "../state/use-call";
import { MissingPage } from "./MissingPage";
import { Buy } from "./product/Buy";

export function ProductPage({ product: id }: { product: string }) {
  const shop = useShop();
  const name = `products/${id}`;
  const { data: product, refusal, again } = useCall(name, (signal) => shop.catalog.getProduct({ name }, { signal }));
  useEffect(() => record(shop, Behaviour_Kind.VIEW_PRODUCT, { product: name }), [shop, name]);

  if (refusal?.code === Code.NotFound || refusal?.code === Code.InvalidArgument) return <MissingPage what="product" />;
  if (refusal && !product) {
    return (
      <div className="page">
        <Refused refusal={refusal} again={again} />
      </div>
    );
  }
  if (!product) return <ProductWaiting />;
  return (
    <>
      <Details product={product} />
      <Recommendations product={product.name} />
    </>
  );
}

function Details({ product }: { product: Product }) {
  const variants = sold(product);
  const [sku, setSku] = useState(variants[0]?.sku);
  const [shown, setShown] = useState<string>();
  const variant = variants.find((one) => one.sku === sku) ?? variants[0];
  const image = shown ?? (variant?.image || product.images[0]) ?? "";
  return (
    <div className="page">
      <Trail product={product} />
      <div className="product">
        <div className="product-pictures">
          <Picture image={image} seed={variant?.sku ?? product.name} alt={product.title} />
          {product.images.length > 1 && (
            <ul className="thumbs">
              {product.images.map((one, index) => (
                <li key={one}>
                  <button type="button" aria-label={`Picture ${index + 1}`} aria-pressed={one === image} onClick={() => setShown(one)}>
                    <Picture image={one} seed={one} />
                  </button>
                </li>
              ))}
            </ul>
          )}
        </div>
        <div className="product-words">
          <Heading title={product.title} />
          {variant && product.state === Product_State.ACTIVE ? (
            <Buy
              product={product}
              variants={variants}
              variant={variant}
              onChoose={(chosen) => {
                setSku(chosen.sku);
                setShown(undefined);
              }}
            />
          ) : (
            <Notice>This is not sold any more.</Notice>
          )}
          {product.description && <p className="description">{product.description}</p>}
          <dl className="facts">
            {product.attributes.map(({ name, value }) => (
              <div key={`${name} ${value}`}>
                <dt>{name}</dt>
                <dd>{value}</dd>
              </div>
            ))}
            {variant && (
              <div>
                <dt>Number</dt>
                <dd>{variant.sku}</dd>
              </div>
            )}
          </dl>
        </div>
      </div>
    </div>
  );
}

/** Where it is in the shop. */
function Trail({ product }: { product: Product }) {
  const shop = useShop();
  const name = product.categories[0] ?? "";
  const { data } = useCall(name, (signal) => shop.catalog.getCategory({ name }, { signal }));
  return (
    <nav className="trail" aria-label="Where this is">
      <Link to="/">Shop</Link>
      {data && <Link to={`/?in=${encodeURIComponent(data.name)}`}>{data.title}</Link>}
    </nav>
  );
}

/** Nothing is shown where there is no idea, or no answer. */
function Recommendations({ product }: { product: string }) {
  const shop = useShop();
  const { data } = useCall(product, async (signal) => {
    const { products } = await shop.promotion.getRecommendations({ product, pageSize: 4 }, { signal });
    const names = products.filter((name) => name !== product);
    return names.length > 0 ? (await shop.catalog.batchGetProducts({ names }, { signal })).products : [];
  });
  const products = data?.filter((one) => one.state === Product_State.ACTIVE && sold(one).length > 0) ?? [];
  if (products.length === 0) return null;
  return (
    <section className="page recommendations" aria-labelledby="recommendations">
      <h2 id="recommendations">Goes well with it</h2>
      <ProductGrid products={products} />
    </section>
  );
}

function ProductWaiting() {
  return (
    <div className="page" aria-busy="true">
      <div className="product waiting">
        <div className="product-pictures">
          <div className="picture" />
        </div>
        <div className="product-words">
          <span className="bar" />
          <span className="bar short" />
        </div>
      </div>
    </div>
  );
}
