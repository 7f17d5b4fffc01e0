// The products found, page after page, with how much there is of each.
import { useEffect, useRef, useState } from "react";
import { explain, type Refusal } from "../../api/errors";
import type { Product } from "../../gen/cartwright/catalog/v1/catalog_pb";
import { sold } from "../../parts/ProductCard";
import { useShop } from "../../state/context";
import { useCall } from "../../state/use-call";
import { request, type Wanted, write } from "./wanted";

type More = { key: string; products: Product[]; next: string; loading: boolean; refusal?: Refusal };

export function useShelf(wanted: Wanted) {
  const shop = useShop();
  const key = write(wanted);
  const first = useCall(key, async (signal) => ({ key, found: await shop.catalog.searchProducts(request(wanted), { signal }) }));
  const [more, setMore] = useState<More>();
  const current = more?.key === first.data?.key ? more : undefined;
  const next = current ? current.next : (first.data?.found.nextPageToken ?? "");
  const products = [...(first.data?.found.products ?? []), ...(current?.products ?? [])];

  const showMore = async () => {
    if (!first.data || !next || current?.loading) return;
    const before = { key: first.data.key, products: current?.products ?? [], next };
    setMore({ ...before, loading: true });
    try {
      const page = await shop.catalog.searchProducts(request(wanted, next));
      setMore({ ...before, products: [...before.products, ...page.products], next: page.nextPageToken, loading: false });
    } catch (error) {
      setMore({ ...before, loading: false, refusal: explain(error) });
    }
  };

  return { first, products, next, showMore, moreLoading: current?.loading ?? false, moreRefusal: current?.refusal };
}

/** What to say about the stock of each product, by its name. Without an answer nothing is said. */
export function useBadges(products: Product[]): Record<string, string> {
  const shop = useShop();
  const skus = products.flatMap((product) => sold(product).filter((variant) => variant.stocked).map((variant) => variant.sku));
  const { data } = useCall(skus.slice(0, 1000).join("\n"), (signal) =>
    shop.inventory.batchGetStock({ skus: skus.slice(0, 1000) }, { signal }),
  );
  const known = useRef(new Map<string, bigint>());
  const [, redraw] = useState(0);
  useEffect(() => {
    for (const stock of data?.stock ?? []) known.current.set(stock.sku, stock.available);
    redraw((count) => count + 1);
  }, [data]);
  const badges: Record<string, string> = {};
  for (const product of products) {
    const counts = sold(product).map((variant) => (variant.stocked ? known.current.get(variant.sku) : undefined));
    if (counts.length === 0 || counts.includes(undefined)) continue;
    const available = counts.reduce<bigint>((sum, count) => sum + count!, 0n);
    if (available === 0n) badges[product.name] = "Sold out";
    else if (available <= 3n) badges[product.name] = `Only ${available} left`;
  }
  return badges;
}
