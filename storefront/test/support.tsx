// What the tests stand on.
import { cleanup, configure, render } from "@testing-library/react";
import { App } from "../src/App";
import { openShop } from "../src/api/shop";
import { FakeShop } from "./fake/shop";

// A busy machine is slow, not wrong.
configure({ asyncUtilTimeout: 15_000 });

export class MemoryStorage implements Storage {
  readonly #items = new Map<string, string>();
  get length() {
    return this.#items.size;
  }
  clear = () => this.#items.clear();
  getItem = (key: string) => this.#items.get(key) ?? null;
  key = (index: number) => [...this.#items.keys()][index] ?? null;
  removeItem = (key: string) => void this.#items.delete(key);
  setItem = (key: string, value: string) => void this.#items.set(key, value);
}

/** Opens the shop at a page, for somebody who has been here before: a guest unless said otherwise. */
export function visit(path: string, fake = new FakeShop(), subject = "guests/1") {
  cleanup();
  const storage = new MemoryStorage();
  if (subject) storage.setItem("cartwright.refresh", `refresh ${subject}`);
  window.history.replaceState(null, "", path);
  const shop = openShop(fake.dial, storage);
  return { fake, shop, storage, ...render(<App shop={shop} />) };
}
