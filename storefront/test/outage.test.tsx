import { Code, ConnectError } from "@connectrpc/connect";
import { cleanup, screen } from "@testing-library/react";
import { afterEach, expect, it } from "vitest";
import { FakeShop } from "./fake/shop";
import { visit } from "./support";

afterEach(cleanup);

/** A shop that a page cannot read until it is back. */
function away(method: string) {
  const fake = new FakeShop();
  const state = { away: true };
  const dial = fake.dial;
  const broken: FakeShop["dial"] = (interceptors) =>
    dial([
      ...interceptors,
      (next) => async (request) => {
        if (state.away && request.method.name === method) throw new ConnectError("away", Code.Unavailable);
        return next(request);
      },
    ]);
  return { fake: Object.assign(fake, { dial: broken }), state };
}

it("an outage is told with a way to try again, and ends by itself", async () => {
  const { fake, state } = away("SearchProducts");
  visit("/", fake);
  await screen.findByText(/cannot be reached/);
  screen.getByText("Try again");
  state.away = false;
  await screen.findByText("Stoneware mug");
  expect(screen.queryByText(/cannot be reached/)).toBeNull();
});

it("trying again by hand does not wait", async () => {
  const { fake, state } = away("GetProduct");
  visit("/products/mug-stone", fake);
  const button = await screen.findByText("Try again");
  state.away = false;
  button.click();
  await screen.findByText("In stock, 40 pieces");
});
