// How many there are of each SKU, as it changes.
import { useState } from "react";
import type { Stock } from "../../gen/cartwright/inventory/v1/inventory_pb";
import { useShop } from "../../state/context";
import { useWatch } from "../../state/use-watch";

/** The available pieces by SKU; a SKU nothing is known of is missing. */
export function useStock(skus: string[]): Record<string, bigint> {
  const shop = useShop();
  const [available, setAvailable] = useState<Record<string, bigint>>({});
  useWatch<Stock>(skus.join("\n"), {
    open: (signal) => shop.inventory.watchStock({ skus: skus.slice(0, 100) }, { signal, timeoutMs: 0 }),
    told: (stock) => setAvailable((before) => ({ ...before, [stock.sku]: stock.available })),
  });
  return available;
}
