import { Code, ConnectError } from "@connectrpc/connect";
import { expect, it, vi } from "vitest";
import { signIn, signOut } from "../src/api/account";
import { openShop } from "../src/api/shop";
import { FakeShop, refusal } from "./fake/shop";
import { MemoryStorage } from "./support";

function start(fake = new FakeShop()) {
  const storage = new MemoryStorage();
  const shop = openShop(fake.dial, storage);
  const count = (name: string) => fake.calls.filter((call) => call === name).length;
  return { fake, storage, shop, count };
}

it("looking around makes no guest", async () => {
  const { shop, count } = start();
  await shop.catalog.listCategories({});
  expect(count("CreateGuest")).toBe(0);
  expect(shop.session.who.get().kind).toBe("nobody");
});

it("many needs at once make one guest", async () => {
  const { shop, count } = start();
  await Promise.all([shop.session.ensure(), shop.session.ensure(), shop.session.ensure()]);
  expect(count("CreateGuest")).toBe(1);
  expect(shop.session.who.get()).toEqual({ kind: "guest", subject: "guests/1" });
});

it("the access token is kept nowhere but in memory", async () => {
  const { shop, storage } = start();
  await shop.session.ensure();
  const token = await shop.session.token();
  const kept = Array.from({ length: storage.length }, (_, index) => storage.getItem(storage.key(index)!));
  expect(kept).toEqual(["refresh guests/1"]);
  expect(kept).not.toContain(token);
});

it("a reload resumes the session, once for all who ask", async () => {
  const { shop, storage, count } = start();
  storage.setItem("cartwright.refresh", "refresh guests/1");
  await Promise.all([shop.cart.getCart({ name: "carts/current" }), shop.order.listOrders({})]);
  expect(count("RefreshSession")).toBe(1);
});

it("a token is renewed before it ends", async () => {
  vi.useFakeTimers({ toFake: ["Date"] });
  const { shop, count } = start();
  await shop.session.ensure();
  const first = await shop.session.token();
  vi.setSystemTime(Date.now() + 580_000);
  expect(await shop.session.token()).not.toBe(first);
  expect(count("RefreshSession")).toBe(1);
  vi.useRealTimers();
});

it("a call refused for an old token is made once more with a new one", async () => {
  const fake = new FakeShop();
  const dial: FakeShop["dial"] = (interceptors) =>
    fake.dial([
      ...interceptors,
      (next) => async (request) => {
        if (request.method.name === "GetCart" && !fake.tokensValid) throw refusal(Code.Unauthenticated, "TOKEN_EXPIRED", "old");
        return next(request);
      },
    ]);
  const shop = openShop(dial, new MemoryStorage());
  await shop.session.ensure();
  fake.tokensValid = false;
  await shop.cart.getCart({ name: "carts/current" });
  expect(fake.calls.filter((call) => call === "RefreshSession")).toHaveLength(1);
});

it("a session that ended elsewhere leaves nobody, and the shop stays open", async () => {
  const { shop, storage } = start();
  storage.setItem("cartwright.refresh", "revoked");
  await shop.catalog.listCategories({});
  expect(shop.session.who.get().kind).toBe("nobody");
  expect(storage.length).toBe(0);
});

it("an outage does not end the session", async () => {
  const fake = new FakeShop();
  const dial: FakeShop["dial"] = (interceptors) =>
    fake.dial([
      ...interceptors,
      (next) => async (request) => {
        if (request.method.name === "RefreshSession") throw new ConnectError("away", Code.Unavailable);
        return next(request);
      },
    ]);
  const storage = new MemoryStorage();
  storage.setItem("cartwright.refresh", "refresh users/ada");
  await expect(openShop(dial, storage).order.listOrders({})).rejects.toThrow();
  expect(storage.getItem("cartwright.refresh")).toBe("refresh users/ada");
});

it("signing in brings the guest's cart along, signing out forgets", async () => {
  const { shop, storage, fake } = start();
  await shop.session.ensure();
  const guest = await shop.session.token();
  let merged = "";
  const merge = shop.cart.mergeCart;
  shop.cart.mergeCart = (request, options) => ((merged = request.guestAccessToken ?? ""), merge(request, options));
  await signIn(shop, "ada@example.com", "correct horse battery");
  expect(merged).toBe(guest);
  expect(shop.session.who.get()).toMatchObject({ kind: "user", subject: "users/ada@example.com" });
  await signOut(shop);
  expect(fake.calls).toContain("Logout");
  expect(storage.length).toBe(0);
});
