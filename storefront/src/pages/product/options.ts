// Which variant the chosen options stand for.
import type { Product, Variant } from "../../gen/cartwright/catalog/v1/catalog_pb";

/** The variant closest to the wish: it has `value` for the option, and as much as can be of what was chosen before. */
export function choose(variants: Variant[], before: Variant, option: number, value: string): Variant {
  const alike = (variant: Variant) => variant.optionValues.filter((chosen, index) => chosen === before.optionValues[index]).length;
  return variants
    .filter((variant) => variant.optionValues[option] === value)
    .reduce((best, variant) => (best.optionValues[option] !== value || alike(variant) > alike(best) ? variant : best), before);
}

/** Options that leave a choice. A product without options may still have several variants, told apart by their titles. */
export function choices(product: Product, variants: Variant[]): { name: string; values: string[] }[] {
  return product.options.map((option, index) => ({
    name: option.name,
    values: option.values.filter((value) => variants.some((variant) => variant.optionValues[index] === value)),
  }));
}
