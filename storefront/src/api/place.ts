// Buying, exactly once.
import { create, type MessageInitShape, toJsonString } from "@bufbuild/protobuf";
import type { Order } from "../gen/cartwright/order/v1/order_pb";
import { PlaceOrderRequestSchema } from "../gen/cartwright/order/v1/order_service_pb";
import { explain } from "./errors";
import { Intent } from "./key";
import { persist } from "./retry";
import type { Shop } from "./shop";

/** What to buy; the key is not the caller's to choose. */
export type Purchase = Omit<MessageInitShape<typeof PlaceOrderRequestSchema>, "requestId" | "$typeName" | "$unknown">;

/** Places the orders of one checkout page. */
export class Till {
  readonly #shop: Pick<Shop, "order">;
  readonly #pauses: readonly number[] | undefined;
  readonly #intent = new Intent();
  #placing: Promise<Order> | undefined;

  constructor(shop: Pick<Shop, "order">, pauses?: readonly number[]) {
    this.#shop = shop;
    this.#pauses = pauses;
  }

  /**
   * Buys. While one purchase is under way a second click only waits for it. A purchase whose answer got lost keeps its
   * key, so buying the same again finds the first order instead of making another.
   */
  place(purchase: Purchase): Promise<Order> {
    this.#placing ??= this.#place(purchase).finally(() => (this.#placing = undefined));
    return this.#placing;
  }

  async #place(purchase: Purchase): Promise<Order> {
    const request = create(PlaceOrderRequestSchema, purchase);
    request.requestId = this.#intent.key(toJsonString(PlaceOrderRequestSchema, request));
    try {
      const order = await persist(() => this.#shop.order.placeOrder(request), this.#pauses);
      this.#intent.settle();
      return order;
    } catch (error) {
      // A refusal is an answer: nothing was bought. Silence is none.
      if (!explain(error).transient) this.#intent.settle();
      throw error;
    }
  }
}
