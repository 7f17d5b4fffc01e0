// Categories and qualities to narrow the shelf by.
import type { Category, Facet } from "../../gen/cartwright/catalog/v1/catalog_pb";
import { Link } from "../../router/Link";
import { toggled, type Wanted, write } from "./wanted";

type Props = { wanted: Wanted; categories: Category[]; facets: Facet[] };

export function Filters({ wanted, categories, facets }: Props) {
  const qualities = facets.filter((facet) => facet.name !== "category" && facet.values.length > 0);
  return (
    <>
      <Categories wanted={wanted} categories={categories} />
      {qualities.map((facet) => (
        <fieldset key={facet.name} className="facet">
          <legend>{facet.name}</legend>
          <ul>
            {facet.values.slice(0, 12).map(({ value, count }) => {
              const on = wanted.attributes.some((one) => one.name === facet.name && one.value === value);
              return (
                <li key={value}>
                  <Link to={write(toggled(wanted, facet.name, value))} className={on ? "tick on" : "tick"} aria-current={on || undefined}>
                    <span className="box" aria-hidden="true" />
                    <span>{value}</span>
                    <span className="quiet">{String(count)}</span>
                  </Link>
                </li>
              );
            })}
          </ul>
        </fieldset>
      ))}
    </>
  );
}

/** The top of the tree, and the way down to the chosen category with what is below it. */
function Categories({ wanted, categories }: { wanted: Wanted; categories: Category[] }) {
  const chosen = categories.find((category) => category.name === wanted.category);
  const open = new Set(["", wanted.category, ...(chosen?.ancestors ?? [])]);
  const shown = inOrder(categories).filter((category) => open.has(category.parent));
  if (shown.length === 0) return null;
  const link = (name: string, title: string, depth: number) => (
    <li key={name} className={`depth-${Math.min(depth, 3)}`}>
      <Link to={write({ ...wanted, category: name })} aria-current={wanted.category === name ? "page" : undefined}>
        {title}
      </Link>
    </li>
  );
  return (
    <nav aria-label="Categories" className="categories">
      <ul>
        {link("", "Everything", 0)}
        {shown.map((category) => link(category.name, category.title, category.ancestors.length))}
      </ul>
    </nav>
  );
}

/** Each category before what is below it, siblings by their position. */
function inOrder(categories: Category[], parent = ""): Category[] {
  return categories
    .filter((category) => category.parent === parent)
    .sort((one, other) => one.position - other.position || one.title.localeCompare(other.title))
    .flatMap((category) => [category, ...inOrder(categories, category.name)]);
}
