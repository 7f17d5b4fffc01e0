import { Code, ConnectError } from "@connectrpc/connect";
import { expect, it } from "vitest";
import { Intent, newKey } from "../src/api/key";
import { type Purchase, Till } from "../src/api/place";
import { once } from "../src/api/retry";
import { openShop } from "../src/api/shop";
import { pounds } from "./fake/goods";
import { FakeShop, refusal } from "./fake/shop";
import { MemoryStorage } from "./support";

const purchase: Purchase = {
  cart: "carts/1",
  shippingRate: "zones/gb/rates/standard",
  paymentMethod: { channel: "sandbox", token: "tok_visa" },
  expectedTotal: pounds(100_000),
};

function start() {
  const fake = new FakeShop();
  fake.fill("BOARD-OAK", 1);
  const till = new Till(openShop(fake.dial, new MemoryStorage()), [1, 1]);
  const keys = () => fake.placed.map((request) => request.requestId);
  return { fake, till, keys };
}

it("a key is a random UUID", () => {
  expect(newKey()).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(newKey()).not.toBe(newKey());
});

it("an intent keeps its key until it is settled or means something else", () => {
  const intent = new Intent();
  const first = intent.key("a mug");
  expect(intent.key("a mug")).toBe(first);
  expect(intent.key("two mugs")).not.toBe(first);
  intent.settle();
  expect(intent.key("a mug")).not.toBe(first);
});

it("a double click buys once", async () => {
  const { fake, till } = start();
  const [one, other] = await Promise.all([till.place(purchase), till.place(purchase)]);
  expect(one.name).toBe(other.name);
  expect(fake.placed).toHaveLength(1);
});

it("a lost answer is asked for again under the same key", async () => {
  const { fake, till, keys } = start();
  let lost = 0;
  fake.afterPlacing = () => {
    lost += 1;
    throw new ConnectError("gone", Code.Unavailable);
  };
  await till.place(purchase);
  expect(lost).toBe(1);
  expect(new Set(keys()).size).toBe(1);
  expect(fake.orders.size).toBe(1);
});

it("buying again after silence finds the first order", async () => {
  const { fake, till, keys } = start();
  fake.beforePlacing = () => {
    throw refusal(Code.Unavailable, "PEER_AWAY", "away");
  };
  await expect(till.place(purchase)).rejects.toThrow();
  fake.beforePlacing = () => {};
  await till.place(purchase);
  expect(keys().length).toBeGreaterThan(2);
  expect(new Set(keys()).size).toBe(1);
});

it("buying again after a refusal is meant anew", async () => {
  const { fake, till, keys } = start();
  fake.beforePlacing = () => {
    throw refusal(Code.FailedPrecondition, "COUPON_INVALID", "no");
  };
  await expect(till.place(purchase)).rejects.toThrow();
  fake.beforePlacing = () => {};
  await till.place(purchase);
  expect(new Set(keys()).size).toBe(2);
});

it("buying the same after a declined card is meant anew", async () => {
  const { till, keys } = start();
  const declined = { ...purchase, paymentMethod: { channel: "sandbox", token: "tok_declined" } };
  await till.place(declined);
  await till.place(declined);
  expect(new Set(keys()).size).toBe(2);
});

it("a change is tried again under its key, a refusal is not", async () => {
  const keys: string[] = [];
  const call = (code: Code) =>
    once(async (key) => {
      keys.push(key);
      if (keys.length < 2) throw new ConnectError("no", code);
      return "done";
    });
  expect(await call(Code.Unavailable)).toBe("done");
  expect(new Set(keys).size).toBe(1);
  keys.length = 0;
  await expect(call(Code.NotFound)).rejects.toThrow();
  expect(keys).toHaveLength(1);
});
