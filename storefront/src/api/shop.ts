// The shop's services, as the storefront calls them.
import { type Client, createClient, type Interceptor, type Transport } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import { AnalyticsService } from "../gen/cartwright/analytics/v1/analytics_service_pb";
import { CartService } from "../gen/cartwright/cart/v1/cart_service_pb";
import { CatalogService } from "../gen/cartwright/catalog/v1/catalog_service_pb";
import { IdentityService } from "../gen/cartwright/identity/v1/identity_service_pb";
import { InventoryService } from "../gen/cartwright/inventory/v1/inventory_service_pb";
import { OrderService } from "../gen/cartwright/order/v1/order_service_pb";
import { PromotionService } from "../gen/cartwright/promotion/v1/promotion_service_pb";
import { ShippingService } from "../gen/cartwright/shipping/v1/shipping_service_pb";
import { authorize, Session } from "./session";

export type Shop = {
  session: Session;
  analytics: Client<typeof AnalyticsService>;
  cart: Client<typeof CartService>;
  catalog: Client<typeof CatalogService>;
  identity: Client<typeof IdentityService>;
  /** Identity without a token: what begins and renews sessions. */
  entrance: Client<typeof IdentityService>;
  inventory: Client<typeof InventoryService>;
  order: Client<typeof OrderService>;
  promotion: Client<typeof PromotionService>;
  shipping: Client<typeof ShippingService>;
};

/** Makes a transport whose calls pass these interceptors. */
export type Dial = (interceptors: Interceptor[]) => Transport;

/** For calls that answer once. Streams are opened with `{ timeoutMs: 0 }`. */
const TIMEOUT_MS = 15_000;

/** Over grpc-web, to the edge that served the page. */
export const dialEdge: Dial = (interceptors) =>
  createGrpcWebTransport({ baseUrl: location.origin, interceptors, defaultTimeoutMs: TIMEOUT_MS });

export function openShop(dial: Dial, storage: Storage): Shop {
  const entrance = createClient(IdentityService, dial([]));
  const session = new Session(entrance, storage);
  const transport = dial([authorize(session)]);
  return {
    session,
    entrance,
    analytics: createClient(AnalyticsService, transport),
    cart: createClient(CartService, transport),
    catalog: createClient(CatalogService, transport),
    identity: createClient(IdentityService, transport),
    inventory: createClient(InventoryService, transport),
    order: createClient(OrderService, transport),
    promotion: createClient(PromotionService, transport),
    shipping: createClient(ShippingService, transport),
  };
}
