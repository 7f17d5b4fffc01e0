import { Code } from "@connectrpc/connect";
import { cleanup, fireEvent, screen, waitFor } from "@testing-library/react";
import { afterEach, expect, it } from "vitest";
import { Order_State } from "../src/gen/cartwright/order/v1/order_pb";
import { FakeShop, refusal } from "./fake/shop";
import { visit } from "./support";

afterEach(cleanup);

/** A shop with something in the cart. */
function filled(sku = "BOARD-OAK", quantity = 1) {
  const fake = new FakeShop();
  fake.fill(sku, quantity);
  return fake;
}

const write = (label: string, value: string) => fireEvent.change(screen.getByLabelText(label), { target: { value } });

async function fillIn() {
  await screen.findByLabelText("E-mail");
  write("E-mail", "ada@example.com");
  write("Name", "Ada Lovelace");
  write("Street and number", "12 St James’s Square");
  write("City", "London");
  write("Country", "GB");
}

const pay = async (amount: string) => {
  const button = await screen.findByText(`Pay ${amount}`, { selector: "button" });
  await waitFor(() => expect((button as HTMLButtonElement).disabled).toBe(false));
  fireEvent.click(button);
  return button;
};

it("a guest buys, and watches the order live", async () => {
  const { fake } = visit("/checkout", filled());
  await fillIn();
  await pay("£31.95");
  await screen.findByText(/Thank you/, { selector: "h1" });
  expect(fake.contact).toBe("ada@example.com");
  expect(fake.placed[0]).toMatchObject({ cart: "carts/1", shippingAddress: { city: "London", countryCode: "GB" } });
  await screen.findByText("Live");
  const [name] = [...fake.orders.keys()];
  screen.getByText(new RegExp(`Order ${fake.orders.get(name!)!.number} of`));
  fake.change(name!, Order_State.SHIPPED);
  await screen.findByText("On its way", { selector: "h2" });
});

it("two clicks buy once", async () => {
  const { fake } = visit("/checkout", filled());
  await fillIn();
  const button = await pay("£31.95");
  fireEvent.submit(button.closest("form")!);
  await screen.findByText(/Thank you/, { selector: "h1" });
  expect(fake.placed).toHaveLength(1);
});

it("what is missing is told beside its field, and nothing is sent", async () => {
  const { fake } = visit("/checkout", filled());
  await screen.findByLabelText("E-mail");
  await pay("£31.95");
  const city = screen.getByLabelText("City");
  expect(city.getAttribute("aria-invalid")).toBe("true");
  expect(document.getElementById(city.getAttribute("aria-describedby")!)!.textContent).toBe("Please give the city.");
  expect(fake.placed).toHaveLength(0);
});

it("what the shop finds wrong is told beside its field", async () => {
  const fake = filled();
  fake.beforePlacing = () => {
    throw refusal(Code.InvalidArgument, "INVALID_FIELD", "no", { fields: { "shipping_address.postal_code": "is no postal code there" } });
  };
  visit("/checkout", fake);
  await fillIn();
  await pay("£31.95");
  await screen.findByText("Is no postal code there.");
});

it("a new price is shown, and buys only when confirmed", async () => {
  const fake = filled();
  visit("/checkout", fake);
  await fillIn();
  await screen.findByText("Pay £31.95", { selector: "button" });
  fake.beforePlacing = (request) => {
    fake.dearer = 200;
    fake.fill("BOARD-OAK", 0);
    fake.cart.lines = fake.cart.lines.filter((line) => line.quantity > 0n);
    if (request.expectedTotal?.units === 31n) {
      throw refusal(Code.FailedPrecondition, "PRICE_CHANGED", "dearer", { metadata: { total: "33.95", currency: "GBP" } });
    }
  };
  await pay("£31.95");
  await screen.findByText("The price has changed.");
  expect(document.querySelector('[role="alert"]')!.textContent).toContain("£33.95");
  await pay("£33.95");
  await screen.findByText(/Thank you/, { selector: "h1" });
  expect(new Set(fake.placed.map((request) => request.requestId)).size).toBe(2);
  expect(fake.orders.size).toBe(1);
});

it("a declined card leaves the cart, and another card works", async () => {
  const { fake } = visit("/checkout", filled());
  await fillIn();
  fireEvent.click(screen.getByLabelText(/declined/));
  await pay("£31.95");
  await screen.findByText("The card was declined.");
  fireEvent.click(screen.getByLabelText(/works/));
  await pay("£31.95");
  await screen.findByText(/Thank you/, { selector: "h1" });
  expect([...fake.orders.values()].map((order) => order.state)).toEqual([Order_State.CANCELLED, Order_State.CONFIRMED]);
});

it("what is out of stock is told at its line, and cannot be bought", async () => {
  visit("/checkout", filled("VASE-GLASS", 5));
  await screen.findByText(/Only 2 left/);
  const button = screen.getByText(/^Pay/, { selector: "button" }) as HTMLButtonElement;
  expect(button.disabled).toBe(true);
});

it("a country nothing is sent to is told beside it", async () => {
  visit("/checkout", filled());
  await fillIn();
  write("Country", "TV");
  await screen.findByText("We do not send to this country.");
  expect(screen.getByLabelText("Country").getAttribute("aria-invalid")).toBe("true");
  write("Country", "GB");
  await screen.findByText("Pay £31.95", { selector: "button" });
});

it("another way of sending counts", async () => {
  visit("/checkout", filled());
  await fillIn();
  fireEvent.click(await screen.findByLabelText(/Express/));
  await screen.findByText("Pay £35.95", { selector: "button" });
});

it("a user is asked for no e-mail, and finds the kept address filled in", async () => {
  visit("/checkout", filled(), "users/ada");
  const name = (await screen.findByLabelText("Name")) as HTMLInputElement;
  await waitFor(() => expect(name.value).toBe("Ada Lovelace"));
  expect(screen.queryByLabelText("E-mail")).toBeNull();
});

it("a coupon that nobody knows is told beside it", async () => {
  visit("/cart", filled());
  fireEvent.change(await screen.findByLabelText("Coupon"), { target: { value: "nonsense" } });
  fireEvent.click(screen.getByText("Apply"));
  await screen.findByText("We do not know this coupon.");
  fireEvent.change(screen.getByLabelText("Coupon"), { target: { value: "welcome10" } });
  fireEvent.click(screen.getByText("Apply"));
  await screen.findByText("-£2.80");
});

it("the shelf is searched while typing, and a product goes into a new guest's cart", async () => {
  const { fake } = visit("/", new FakeShop(), "");
  await screen.findByText("Stoneware mug");
  fireEvent.change(screen.getByLabelText("Search the shop"), { target: { value: "oak" } });
  await waitFor(() => expect(screen.queryByText("Stoneware mug")).toBeNull());
  expect(window.location.search).toBe("?q=oak");
  fireEvent.click(screen.getByText("Oak chopping board"));
  await screen.findByText("In stock, 40 pieces");
  fireEvent.click(screen.getByText("Add to cart"));
  await screen.findByText(/In your cart/);
  expect(fake.calls.filter((call) => call === "CreateGuest")).toHaveLength(1);
  screen.getByLabelText("Cart, 1 piece");
});
