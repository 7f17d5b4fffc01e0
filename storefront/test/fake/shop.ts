// A shop in memory, for tests and for looking at pages without a backend. It keeps the contract's promises that the
// storefront relies on: keys, refusals with reasons, streams.
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createRouterTransport } from "@connectrpc/connect";
import type { Dial } from "../../src/api/shop";
import { AnalyticsService } from "../../src/gen/cartwright/analytics/v1/analytics_service_pb";
import { type Cart, Cart_State, CartSchema } from "../../src/gen/cartwright/cart/v1/cart_pb";
import { CartService } from "../../src/gen/cartwright/cart/v1/cart_service_pb";
import { type Product } from "../../src/gen/cartwright/catalog/v1/catalog_pb";
import { CatalogService } from "../../src/gen/cartwright/catalog/v1/catalog_service_pb";
import { IdentityService } from "../../src/gen/cartwright/identity/v1/identity_service_pb";
import { InventoryService } from "../../src/gen/cartwright/inventory/v1/inventory_service_pb";
import {
  type Order,
  Order_PaymentState,
  Order_State,
  OrderSchema,
  QuoteProblem_Kind,
} from "../../src/gen/cartwright/order/v1/order_pb";
import { OrderService, type PlaceOrderRequest } from "../../src/gen/cartwright/order/v1/order_service_pb";
import { PromotionService } from "../../src/gen/cartwright/promotion/v1/promotion_service_pb";
import { ShippingService } from "../../src/gen/cartwright/shipping/v1/shipping_service_pb";
import { BadRequestSchema, ErrorInfoSchema } from "../../src/gen/google/rpc/error_details_pb";
import type { Money } from "../../src/gen/google/type/money_pb";
import { CATEGORIES, pence, pounds, PRODUCTS, STOCK } from "./goods";

/** A refusal as the services give it. */
export function refusal(code: Code, reason: string, message: string, more: { metadata?: Record<string, string>; fields?: Record<string, string> } = {}) {
  const details: ConstructorParameters<typeof ConnectError>[3] = [
    { desc: ErrorInfoSchema, value: { reason, domain: "test", metadata: more.metadata ?? {} } },
  ];
  if (more.fields) {
    const fieldViolations = Object.entries(more.fields).map(([field, description]) => ({ field, description }));
    details.push({ desc: BadRequestSchema, value: { fieldViolations } });
  }
  return new ConnectError(message, code, undefined, details);
}

export class FakeShop {
  /** Each call that arrived. */
  readonly calls: string[] = [];
  readonly placed: PlaceOrderRequest[] = [];
  readonly orders = new Map<string, Order>();
  readonly stock: Record<string, number> = { ...STOCK };
  #count = 0;
  cart: Cart = this.#newCart();
  contact = "";
  /** What stands before PlaceOrder: throws to refuse. */
  beforePlacing: (request: PlaceOrderRequest) => void | Promise<void> = () => {};
  /** What stands after it: throws to lose the answer. */
  afterPlacing: () => void = () => {};
  /** How much dearer everything became. */
  dearer = 0;
  /** How long each step of an order takes. */
  stepMs = 0;
  tokensValid = true;
  readonly #answers = new Map<string, Order>();
  readonly #watchers = new Set<() => void>();

  readonly dial: Dial = (interceptors) =>
    createRouterTransport(
      (router) => {
        router.service(AnalyticsService, { recordBehaviour: () => ({}) });
        this.#identity(router);
        this.#catalog(router);
        this.#cartService(router);
        this.#order(router);
        router.service(PromotionService, {
          getRecommendations: ({ product }) => ({
            products: PRODUCTS.map(({ name }) => name).filter((name) => name !== product).slice(4, 8),
          }),
        });
        router.service(ShippingService, { listShipments: () => ({ shipments: [] }) });
      },
      { transport: { interceptors: [...interceptors, this.#log] } },
    );

  /** Puts something in, as a test's beginning. */
  fill(sku: string, quantity: number): void {
    const variant = find((one) => one.sku === sku);
    this.cart.lines.push({
      $typeName: "cartwright.cart.v1.CartLine",
      variant: variant.name,
      sku,
      title: variant.productTitle,
      quantity: BigInt(quantity),
      image: "",
      unitPrice: variant.price,
    });
    this.#price();
  }

  change(name: string, state: Order_State): void {
    const order = this.orders.get(name)!;
    const time = timestampFromMs(Date.now());
    const paymentState = state === Order_State.SHIPPED ? Order_PaymentState.CAPTURED : order.paymentState;
    const history = [...order.history, { $typeName: "cartwright.order.v1.Transition" as const, state, time, actor: "", reason: "" }];
    this.orders.set(name, { ...order, state, paymentState, history, version: order.version + 1n, updateTime: time });
    for (const watcher of this.#watchers) watcher();
  }

  readonly #log: Parameters<Dial>[0][number] = (next) => (request) => {
    this.calls.push(request.method.name);
    return next(request);
  };

  #newCart(): Cart {
    this.#count += 1;
    return create(CartSchema, { name: `carts/${this.#count}`, state: Cart_State.OPEN, etag: "1" });
  }

  #price(): void {
    this.#count += 1;
    for (const line of this.cart.lines) {
      const variant = find((one) => one.name === line.variant);
      line.unitPrice = pounds(pence(variant.price) + this.dearer);
      line.total = pounds(pence(line.unitPrice) * Number(line.quantity));
    }
    const subtotal = this.cart.lines.reduce((sum, line) => sum + pence(line.total), 0);
    this.cart.subtotal = pounds(subtotal);
    this.cart.discount = this.cart.couponCode ? pounds(Math.round(subtotal / 10)) : undefined;
    this.cart = { ...this.cart, lines: [...this.cart.lines], etag: String(this.#count) };
  }

  #session(subject: string) {
    this.#count += 1;
    const user = subject.startsWith("users/") ? { name: subject, email: "ada@example.com", displayName: "Ada" } : undefined;
    return {
      accessToken: `access-${this.#count}`,
      refreshToken: `refresh ${subject}`,
      accessExpireTime: timestampFromMs(Date.now() + 600_000),
      subject,
      user,
    };
  }

  #identity(router: Parameters<Parameters<typeof createRouterTransport>[0]>[0]): void {
    router.service(IdentityService, {
      createGuest: () => this.#session("guests/1"),
      login: ({ email, password }) => {
        if (password !== "correct horse battery") throw refusal(Code.Unauthenticated, "SIGN_IN_FAILED", "no");
        return this.#session(`users/${email}`);
      },
      refreshSession: ({ refreshToken }) => {
        if (!refreshToken.startsWith("refresh ")) throw refusal(Code.Unauthenticated, "REFRESH_TOKEN_INVALID", "no");
        this.tokensValid = true;
        return this.#session(refreshToken.slice("refresh ".length));
      },
      register: () => ({}),
      resendVerification: () => ({}),
      verifyContact: ({ code }) => {
        if (code !== "123456") throw refusal(Code.InvalidArgument, "CODE_INVALID", "no");
        return {};
      },
      requestPasswordReset: () => ({}),
      resetPassword: ({ code }) => {
        if (code !== "12345678") throw refusal(Code.Unauthenticated, "PASSWORD_RESET_INVALID", "no");
        return {};
      },
      logout: () => ({}),
      listAddresses: () => ({
        addresses: [{ postalAddress: { recipient: "Ada Lovelace", line1: "12 St James’s Square", city: "London", postalCode: "SW1Y 4LB", countryCode: "GB" } }],
      }),
      createAddress: () => ({}),
      setGuestContact: ({ email }) => {
        if (!email.includes("@")) throw refusal(Code.InvalidArgument, "INVALID_FIELD", "no", { fields: { email: "must be an e-mail address" } });
        this.contact = email;
        return {};
      },
    });
  }

  #catalog(router: Parameters<Parameters<typeof createRouterTransport>[0]>[0]): void {
    router.service(CatalogService, {
      listCategories: () => ({ categories: CATEGORIES }),
      getCategory: ({ name }) => CATEGORIES.find((one) => one.name === name) ?? missing("CATEGORY_NOT_FOUND"),
      getProduct: ({ name }) => PRODUCTS.find((one) => one.name === name) ?? missing("PRODUCT_NOT_FOUND"),
      batchGetProducts: ({ names }) => ({ products: PRODUCTS.filter((one) => names.includes(one.name)) }),
      searchProducts: ({ query, category, attributes, order }) => {
        const found = PRODUCTS.filter(
          (one) =>
            one.title.toLowerCase().includes(query.toLowerCase()) &&
            (!category || one.categories.includes(category)) &&
            attributes.every((wanted) => one.attributes.some((has) => has.name === wanted.name && has.value === wanted.value)),
        );
        const cheap = (product: Product) => pence(product.variants[0]?.price);
        if (order === 2) found.sort((one, other) => cheap(one) - cheap(other));
        if (order === 3) found.sort((one, other) => cheap(other) - cheap(one));
        const counts = new Map<string, bigint>();
        for (const product of found) for (const { value } of product.attributes) counts.set(value, (counts.get(value) ?? 0n) + 1n);
        const values = [...counts].map(([value, count]) => ({ value, count })).sort((one, other) => Number(other.count - one.count));
        return { products: found, totalSize: BigInt(found.length), facets: [{ name: "Material", values }] };
      },
    });
    const available = (sku: string) => BigInt(this.stock[sku] ?? this.stock[sku.split("-").slice(0, 2).join("-")] ?? 0);
    router.service(InventoryService, {
      batchGetStock: ({ skus }) => ({ stock: skus.map((sku) => ({ sku, available: available(sku) })) }),
      watchStock: async function* ({ skus }, { signal }) {
        for (const sku of skus) yield { sku, available: available(sku) };
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
      },
    });
  }

  #cartService(router: Parameters<Parameters<typeof createRouterTransport>[0]>[0]): void {
    const set = (variant: string, quantity: bigint) => {
      const line = this.cart.lines.find((one) => one.variant === variant);
      if (line) line.quantity = quantity;
      else this.fill(find((one) => one.name === variant).sku, Number(quantity));
      this.cart.lines = this.cart.lines.filter((one) => one.quantity > 0n);
      this.#price();
      return this.cart;
    };
    router.service(CartService, {
      getCart: () => this.cart,
      addItem: ({ variant, quantity }) => set(variant, quantity + (this.cart.lines.find((one) => one.variant === variant)?.quantity ?? 0n)),
      updateItem: ({ variant, quantity }) => set(variant, quantity),
      applyCoupon: ({ code }) => {
        if (code.toUpperCase() !== "WELCOME10") throw refusal(Code.NotFound, "COUPON_NOT_FOUND", "no");
        this.cart.couponCode = "WELCOME10";
        this.#price();
        return this.cart;
      },
      removeCoupon: () => {
        this.cart.couponCode = "";
        this.#price();
        return this.cart;
      },
      mergeCart: () => this.cart,
    });
  }

  #amounts(rate: string) {
    const subtotal = pence(this.cart.subtotal);
    const discount = pence(this.cart.discount);
    const shipping = rate.endsWith("express") ? 795 : 395;
    const total = subtotal - discount + shipping;
    return {
      subtotal: pounds(subtotal),
      discount: pounds(discount),
      shipping: pounds(shipping),
      tax: pounds(Math.round(total / 6)),
      total: pounds(total),
    };
  }

  #order(router: Parameters<Parameters<typeof createRouterTransport>[0]>[0]): void {
    const read = (name: string) => this.orders.get(name) ?? missing("ORDER_NOT_FOUND");
    const watchers = this.#watchers;
    router.service(OrderService, {
      quoteOrder: ({ countryCode, shippingRate }) => {
        this.#price();
        const problems = this.contact ? [] : [{ kind: QuoteProblem_Kind.CONTACT_MISSING, message: "say where" }];
        if (countryCode === "TV") {
          const { subtotal } = this.#amounts("");
          return { subtotal, total: subtotal, problems: [...problems, { kind: QuoteProblem_Kind.NOT_SHIPPABLE, message: "no" }] };
        }
        for (const line of this.cart.lines) {
          const left = BigInt(this.stock[line.sku] ?? 99);
          if (left < line.quantity) problems.push({ kind: QuoteProblem_Kind.OUT_OF_STOCK, variant: line.variant, available: left, message: "" } as never);
        }
        const rate = shippingRate || "zones/gb/rates/standard";
        return {
          ...this.#amounts(rate),
          shippingRate: rate,
          shippingOptions: [
            { rate: "zones/gb/rates/standard", title: "Standard", price: pounds(395), daysMin: 3, daysMax: 5 },
            { rate: "zones/gb/rates/express", title: "Express", price: pounds(795), daysMin: 1, daysMax: 2 },
          ],
          problems,
        };
      },
      placeOrder: async (request) => {
        this.placed.push(request);
        await this.beforePlacing(request);
        const before = this.#answers.get(request.requestId);
        if (before) return before;
        const amounts = this.#amounts(request.shippingRate);
        if (pence(amounts.total) > pence(request.expectedTotal)) {
          const total = (pence(amounts.total) / 100).toFixed(2);
          throw refusal(Code.FailedPrecondition, "PRICE_CHANGED", "dearer", { metadata: { total, currency: "GBP" } });
        }
        const order = this.#place(request, amounts);
        this.#answers.set(request.requestId, order);
        this.afterPlacing();
        return order;
      },
      getOrder: ({ name }) => read(name),
      listOrders: () => ({ orders: [...this.orders.values()].reverse() }),
      cancelOrder: ({ name }) => {
        this.change(name, Order_State.CANCELLED);
        return read(name);
      },
      watchOrder: async function* ({ name }, { signal }) {
        for (;;) {
          yield read(name);
          if (signal.aborted) return;
          await new Promise<void>((resolve) => {
            const wake = () => (watchers.delete(wake), resolve());
            watchers.add(wake);
            signal.addEventListener("abort", wake);
          });
        }
      },
    });
  }

  #place(request: PlaceOrderRequest, amounts: Record<"subtotal" | "discount" | "shipping" | "tax" | "total", Money>): Order {
    const reasons: Record<string, string> = { tok_declined: "CARD_DECLINED", tok_insufficient_funds: "INSUFFICIENT_FUNDS" };
    const cancelReason = reasons[request.paymentMethod?.token ?? ""] ?? "";
    const name = `orders/0199-${(this.orders.size + 1).toString().padStart(8, "0")}`;
    const now = timestampFromMs(Date.now());
    const states = [Order_State.PLACED, cancelReason ? Order_State.CANCELLED : Order_State.CONFIRMED];
    const order = create(OrderSchema, {
      ...amounts,
      name,
      number: `9F3A-71C2-${String(this.#count).padStart(4, "0")}`,
      customer: "guests/1",
      state: states.at(-1)!,
      paymentState: cancelReason ? Order_PaymentState.PENDING : Order_PaymentState.AUTHORIZED,
      lines: this.cart.lines.map(({ variant, sku, title, quantity, unitPrice, total }, index) => ({
        lineId: String(index + 1),
        variant,
        sku,
        title,
        quantity,
        unitPrice,
        total,
      })),
      couponCode: this.cart.couponCode,
      shippingAddress: request.shippingAddress,
      cancelReason,
      history: states.map((state) => ({ state, time: now })),
      version: BigInt(states.length),
      createTime: now,
    });
    this.orders.set(name, order);
    if (!cancelReason) {
      this.cart = this.#newCart();
      if (this.stepMs > 0) {
        setTimeout(() => this.change(name, Order_State.SHIPPED), this.stepMs);
        setTimeout(() => this.change(name, Order_State.DELIVERED), 3 * this.stepMs);
      }
    }
    return order;
  }
}

function find(test: (variant: Product["variants"][number]) => boolean) {
  const found = PRODUCTS.flatMap((product) => product.variants).find(test);
  return found ?? missing("VARIANT_NOT_FOUND");
}

function missing(reason: string): never {
  throw refusal(Code.NotFound, reason, "not found");
}
