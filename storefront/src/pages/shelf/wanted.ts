// What a shopper looks for, as the address says it: `/?q=mug&in=categories/1&is=Material:Oak&by=cheap`.
import type { MessageInitShape } from "@bufbuild/protobuf";
import { SearchProductsRequest_Order as Order, type SearchProductsRequestSchema } from "../../gen/cartwright/catalog/v1/catalog_service_pb";

export type Wanted = { query: string; category: string; attributes: { name: string; value: string }[]; order: keyof typeof ORDERS };

export const ORDERS = {
  best: { title: "Best match", order: Order.RELEVANCE },
  new: { title: "Newest", order: Order.NEWEST },
  cheap: { title: "Price, low to high", order: Order.PRICE_ASCENDING },
  dear: { title: "Price, high to low", order: Order.PRICE_DESCENDING },
} as const;

export const PAGE_SIZE = 24;

export function read(params: URLSearchParams): Wanted {
  const by = params.get("by") ?? "";
  return {
    query: (params.get("q") ?? "").trim().slice(0, 200),
    category: params.get("in") ?? "",
    attributes: params.getAll("is").flatMap((text) => {
      const colon = text.indexOf(":");
      return colon > 0 ? [{ name: text.slice(0, colon), value: text.slice(colon + 1) }] : [];
    }),
    order: by in ORDERS ? (by as keyof typeof ORDERS) : "best",
  };
}

export function write(wanted: Wanted): string {
  const params = new URLSearchParams();
  if (wanted.query) params.set("q", wanted.query);
  if (wanted.category) params.set("in", wanted.category);
  for (const { name, value } of wanted.attributes) params.append("is", `${name}:${value}`);
  if (wanted.order !== "best") params.set("by", wanted.order);
  return params.size > 0 ? `/?${params}` : "/";
}

export function request(wanted: Wanted, pageToken = ""): MessageInitShape<typeof SearchProductsRequestSchema> {
  const { query, category, attributes } = wanted;
  return { query, category, attributes, order: ORDERS[wanted.order].order, pageSize: PAGE_SIZE, pageToken };
}

export function toggled(wanted: Wanted, name: string, value: string): Wanted {
  const same = (other: { name: string; value: string }) => other.name === name && other.value === value;
  const attributes = wanted.attributes.some(same)
    ? wanted.attributes.filter((other) => !same(other))
    : [...wanted.attributes, { name, value }];
  return { ...wanted, attributes };
}
