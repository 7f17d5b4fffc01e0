// What the fake shop sells.
import { create } from "@bufbuild/protobuf";
import {
  type Category,
  CategorySchema,
  type Product,
  Product_Kind,
  Product_State,
  ProductSchema,
  Variant_State,
} from "../../src/gen/cartwright/catalog/v1/catalog_pb";
import { type Money, MoneySchema } from "../../src/gen/google/type/money_pb";

export function pounds(pence: number): Money {
  return create(MoneySchema, { currencyCode: "GBP", units: BigInt(Math.trunc(pence / 100)), nanos: (pence % 100) * 10_000_000 });
}

export function pence(money: Money | undefined): number {
  return money ? Number(money.units) * 100 + money.nanos / 10_000_000 : 0;
}

export const CATEGORIES: Category[] = [
  create(CategorySchema, { name: "categories/kitchen", title: "Kitchen", position: 0 }),
  create(CategorySchema, { name: "categories/study", title: "Study", position: 1 }),
  create(CategorySchema, { name: "categories/living", title: "Living", position: 2 }),
  create(CategorySchema, { name: "categories/table", title: "Table", parent: "categories/kitchen", ancestors: ["categories/kitchen"] }),
];

type Row = [sku: string, title: string, category: string, material: string, pence: number, stock: number, about: string];

const ROWS: Row[] = [
  ["MUG-STONE", "Stoneware mug", "kitchen", "Stoneware", 1250, 40, "Holds a generous cup, and the heat as long as you hold on to it."],
  ["POT-ENAMEL", "Enamel coffee pot", "kitchen", "Enamel", 3400, 3, "For two litres of coffee on any stove, campfires included."],
  ["BOARD-OAK", "Oak chopping board", "kitchen", "Oak", 2800, 40, "End grain that forgives the knife. Oil it once a season."],
  ["TOWEL-LINEN", "Linen tea towel", "kitchen", "Linen", 950, 40, "Dries glasses without a trace, and gets softer with every wash."],
  ["LAMP-DESK", "Brass desk lamp", "study", "Brass", 8900, 40, "Warm light, two joints, one switch that clicks as it should."],
  ["NOTE-DOT", "Dotted notebook", "study", "Paper", 1450, 40, "Thread-bound, opens flat, 192 pages that fountain pens like."],
  ["PEN-FOUNTAIN", "Fountain pen", "study", "Brass", 4200, 0, "A steel nib that writes at once, after weeks in a drawer."],
  ["CLOCK-WALL", "Wall clock", "living", "Oak", 5600, 40, "Silent sweep and numerals that can be read from the other room."],
  ["BLANKET-WOOL", "Wool blanket", "living", "Wool", 9800, 40, "Woven from lambswool, large enough for two and a film."],
  ["VASE-GLASS", "Recycled glass vase", "living", "Glass", 2450, 2, "Mouth-blown from bottles; no two are quite alike."],
  ["BASKET-WILLOW", "Willow basket", "living", "Willow", 3900, 40, "For logs, laundry or a picnic. The handles hold."],
  ["CANDLE-BEES", "Beeswax candle", "living", "Beeswax", 1150, 40, "Forty hours of light that smells of summer."],
];

export const STOCK: Record<string, number> = Object.fromEntries(ROWS.map(([sku, , , , , stock]) => [sku, stock]));

export const PRODUCTS: Product[] = ROWS.map(([sku, title, category, material, price, , about]) => {
  const name = `products/${sku.toLowerCase()}`;
  const kinds = sku === "MUG-STONE" ? ["Chalk", "Moss", "Rust"] : [""];
  return create(ProductSchema, {
    name,
    title,
    description: about,
    state: Product_State.ACTIVE,
    kind: Product_Kind.GOODS,
    categories: [`categories/${category}`],
    attributes: [{ name: "Material", value: material }],
    options: kinds.length > 1 ? [{ name: "Glaze", values: kinds }] : [],
    variants: kinds.map((kind, index) => ({
      name: `${name}/variants/${index + 1}`,
      sku: kind ? `${sku}-${kind.toUpperCase()}` : sku,
      title: kind,
      optionValues: kind ? [kind] : [],
      price: pounds(price + index * 100),
      compareAtPrice: sku === "CLOCK-WALL" ? pounds(6800) : undefined,
      state: Variant_State.ACTIVE,
      productTitle: title,
      productState: Product_State.ACTIVE,
      stocked: true,
    })),
  });
});
