// The shopper's cart. Changes are made one after another, so that the last answer is the newest.
import type { Shop } from "../api/shop";
import { once } from "../api/retry";
import type { Cart } from "../gen/cartwright/cart/v1/cart_pb";
import { Observable } from "./observable";

/** Not yet read is undefined; nobody's cart is null. */
export type CartView = { cart: Cart | null | undefined; busy: boolean };

const CURRENT = "carts/current";

export class CartState {
  readonly view = new Observable<CartView>({ cart: undefined, busy: false });
  readonly #shop: Shop;
  #last: Promise<unknown> = Promise.resolve();

  constructor(shop: Shop) {
    this.#shop = shop;
  }

  /** Reads it anew. Who has no session has no cart, and needs none to look around. */
  load(): Promise<Cart | null> {
    return this.#queue(async () => {
      if (!(await this.#shop.session.token())) return null;
      return this.#shop.cart.getCart({ name: CURRENT });
    });
  }

  add(variant: string, quantity: bigint): Promise<Cart | null> {
    return this.#change((requestId) => this.#shop.cart.addItem({ cart: CURRENT, variant, quantity, requestId }));
  }

  setQuantity(variant: string, quantity: bigint): Promise<Cart | null> {
    return this.#change((requestId) => this.#shop.cart.updateItem({ cart: CURRENT, variant, quantity, requestId }));
  }

  applyCoupon(code: string): Promise<Cart | null> {
    return this.#change((requestId) => this.#shop.cart.applyCoupon({ cart: CURRENT, code, requestId }));
  }

  removeCoupon(): Promise<Cart | null> {
    return this.#change((requestId) => this.#shop.cart.removeCoupon({ cart: CURRENT, requestId }));
  }

  #change(call: (requestId: string) => Promise<Cart>): Promise<Cart | null> {
    return this.#queue(async () => {
      await this.#shop.session.ensure();
      return once(call);
    });
  }

  #queue(work: () => Promise<Cart | null>): Promise<Cart | null> {
    const done = this.#last.then(async () => {
      this.view.set({ ...this.view.get(), busy: true });
      try {
        const cart = await work();
        this.view.set({ cart, busy: false });
        return cart;
      } catch (error) {
        this.view.set({ ...this.view.get(), busy: false });
        throw error;
      }
    });
    this.#last = done.catch(() => {});
    return done;
  }
}

/** How many pieces are in it. */
export function pieces(cart: Cart | null | undefined): number {
  return Number(cart?.lines.reduce((sum, line) => sum + line.quantity, 0n) ?? 0n);
}
