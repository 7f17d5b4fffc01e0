import { describe, expect, it } from "vitest";
import { match, pageOf, within } from "../src/router/match";
import { read, toggled, write } from "../src/pages/shelf/wanted";

describe("the router", () => {
  it("fits paths to patterns", () => {
    expect(match("/", "/")).toEqual({});
    expect(match("/products/:product", "/products/42")).toEqual({ product: "42" });
    expect(match("/products/:product", "/products/42/")).toEqual({ product: "42" });
    expect(match("/products/:product", "/products")).toBeUndefined();
    expect(match("/orders", "/orders/42")).toBeUndefined();
  });

  it("reads encoded parameters, and takes no broken ones", () => {
    expect(match("/products/:product", "/products/a%2Fb")).toEqual({ product: "a/b" });
    expect(match("/products/:product", "/products/%E0%A4%A")).toBeUndefined();
    expect(pageOf("products/a b")).toBe("/products/a%20b");
  });

  it("goes on within the shop only", () => {
    expect(within("/checkout")).toBe("/checkout");
    for (const wrong of [null, "", "https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)"]) {
      expect(within(wrong)).toBe("/");
    }
  });
});

describe("what is wanted", () => {
  it("is kept in the address", () => {
    const address = "/?q=mug&in=categories%2F1&is=Material%3AOak&is=Size%3A10%3A20&by=cheap";
    const wanted = read(new URLSearchParams(address.slice(2)));
    expect(wanted).toEqual({
      query: "mug",
      category: "categories/1",
      attributes: [
        { name: "Material", value: "Oak" },
        { name: "Size", value: "10:20" },
      ],
      order: "cheap",
    });
    expect(write(wanted)).toBe(address);
  });

  it("can be taken back", () => {
    const nothing = read(new URLSearchParams("by=nonsense"));
    expect(write(nothing)).toBe("/");
    expect(toggled(toggled(nothing, "Material", "Oak"), "Material", "Oak")).toEqual(nothing);
  });
});
