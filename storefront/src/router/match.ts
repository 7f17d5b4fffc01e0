// Paths and patterns, such as `/products/:product`.

/** The parameters of a path that fits the pattern; nothing where it does not fit. */
export function match(pattern: string, path: string): Record<string, string> | undefined {
  const wanted = parts(pattern);
  const found = parts(path);
  if (wanted.length !== found.length) return undefined;
  const params: Record<string, string> = {};
  for (const [index, part] of wanted.entries()) {
    const value = found[index]!;
    if (!part.startsWith(":")) {
      if (part !== value) return undefined;
      continue;
    }
    try {
      params[part.slice(1)] = decodeURIComponent(value);
    } catch {
      return undefined;
    }
  }
  return params;
}

/** A page of this shop to go on to; the start for anything that leads elsewhere. */
export function within(next: string | null): string {
  return next && /^\/(?![/\\])/.test(next) ? next : "/";
}

/** The page of a resource: `/products/1` for `products/1`. */
export function pageOf(name: string): string {
  return `/${name.split("/").map(encodeURIComponent).join("/")}`;
}

function parts(path: string): string[] {
  return path.split("/").filter((part) => part !== "");
}
