// What is for sale: browsing, searching, narrowing down.
import { useEffect } from "react";
import { record } from "../api/behaviour";
import { Behaviour_Kind } from "../gen/cartwright/analytics/v1/analytics_pb";
import { Cross } from "../parts/icons";
import { Notice, Refused } from "../parts/Notice";
import { Page } from "../parts/Page";
import { GridWaiting, ProductGrid } from "../parts/ProductCard";
import { navigate, useQuery } from "../router/location";
import { Link } from "../router/Link";
import { useNews, useShop } from "../state/context";
import { useCall } from "../state/use-call";
import { Filters } from "./shelf/Filters";
import { useBadges, useShelf } from "./shelf/use-shelf";
import { ORDERS, read, toggled, type Wanted, write } from "./shelf/wanted";

export function ShelfPage() {
  const shop = useShop();
  const news = useNews();
  const wanted = read(useQuery());
  const { first, products, next, showMore, moreLoading, moreRefusal } = useShelf(wanted);
  const badges = useBadges(products);
  const tree = useCall("categories", (signal) => shop.catalog.listCategories({ pageSize: 1000 }, { signal }));
  const categories = tree.data?.categories ?? [];
  const chosen = categories.find((category) => category.name === wanted.category);
  const found = first.data?.found;
  const count = found === undefined ? "" : found.totalSize === 1n ? "1 product" : `${found.totalSize} products`;

  useEffect(() => {
    if (wanted.query) record(shop, Behaviour_Kind.SEARCH, { query: wanted.query });
  }, [shop, wanted.query]);
  useEffect(() => {
    if (wanted.query && count && !first.loading) news.set(`${count} found`);
  }, [news, wanted.query, count, first.loading]);

  const plain = !wanted.query && !wanted.category && wanted.attributes.length === 0;
  const title = wanted.query ? `“${wanted.query}”` : (chosen?.title ?? "Everyday things, made well");
  return (
    <Page
      title={plain ? "Cartwright" : title}
      heading={title}
      lead={plain ? "For the kitchen, the desk and the evening. Sent from our workshop to your door." : undefined}
    >
      <div className="shelf">
        <aside className="filters" aria-label="Narrow down">
          <details className="filters-fold">
            <summary>Categories and filters</summary>
            <Filters wanted={wanted} categories={categories} facets={found?.facets ?? []} />
          </details>
          <div className="filters-open">
            <Filters wanted={wanted} categories={categories} facets={found?.facets ?? []} />
          </div>
        </aside>
        <section aria-label="Products" aria-busy={first.loading} className={first.loading && found ? "stale" : undefined}>
          <div className="shelf-bar">
            <p className="quiet">{count}</p>
            <Chosen wanted={wanted} />
            <label className="order">
              <span className="hidden">Order</span>
              <select value={wanted.order} onChange={(event) => navigate(write({ ...wanted, order: event.target.value as Wanted["order"] }))}>
                {Object.entries(ORDERS).map(([key, { title }]) => (
                  <option key={key} value={key}>
                    {title}
                  </option>
                ))}
              </select>
            </label>
          </div>
          {first.refusal && <Refused refusal={first.refusal} again={first.again} />}
          {!found && first.loading && <GridWaiting />}
          {found && products.length === 0 && !first.loading && (
            <Notice title="Nothing found." action={<Link to="/">Show everything</Link>}>
              Try fewer words, or another category.
            </Notice>
          )}
          <ProductGrid products={products} badges={badges} />
          {moreRefusal && <Refused refusal={moreRefusal} />}
          {next && (
            <button type="button" className="button more" disabled={moreLoading} onClick={() => void showMore()}>
              {moreLoading ? "One moment…" : "Show more"}
            </button>
          )}
        </section>
      </div>
    </Page>
  );
}

/** The qualities chosen, each with a way to drop it. */
function Chosen({ wanted }: { wanted: Wanted }) {
  return (
    <ul className="chips">
      {wanted.attributes.map(({ name, value }) => (
        <li key={`${name}:${value}`}>
          <Link to={write(toggled(wanted, name, value))} className="chip" aria-label={`Drop ${name} ${value}`}>
            {value}
            <Cross />
          </Link>
        </li>
      ))}
    </ul>
  );
}
