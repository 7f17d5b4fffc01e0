import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { compare, decimal, format, isPositive, negative, parse } from "../src/api/money";
import { MoneySchema } from "../src/gen/google/type/money_pb";

const money = (units: bigint, nanos = 0, currencyCode = "GBP") => create(MoneySchema, { currencyCode, units, nanos });

describe("money", () => {
  it("is written in its currency", () => {
    expect(format(money(12n, 500_000_000), "en-GB")).toBe("£12.50");
    expect(format(money(1_250n, 0, "JPY"), "en-US")).toBe("¥1,250");
    expect(format(money(1n, 234_000_000, "KWD"), "en-US")).toMatch(/1\.234/);
  });

  it("keeps every digit of what no float can hold", () => {
    expect(decimal(money(9_007_199_254_740_993n, 10_000_000))).toBe("9007199254740993.010000000");
    expect(format(money(9_007_199_254_740_993n, 10_000_000), "en-GB")).toBe("£9,007,199,254,740,993.01");
  });

  it("is below zero also without whole units", () => {
    expect(decimal(money(0n, -50_000_000))).toBe("-0.050000000");
    expect(format(negative(money(7n, 550_000_000)), "en-GB")).toBe("-£7.55");
  });

  it("is nothing where there is none", () => {
    expect(format(undefined)).toBe("");
    expect(isPositive(undefined)).toBe(false);
    expect(isPositive(money(0n))).toBe(false);
  });

  it("compares by the last billionth", () => {
    expect(compare(money(1n, 1), money(1n))).toBe(1);
    expect(compare(money(-1n), money(1n))).toBe(-1);
    expect(compare(money(2n), money(2n))).toBe(0);
  });

  it("is read from what a refusal says", () => {
    expect(parse("72.90", "GBP")).toEqual(money(72n, 900_000_000));
    expect(parse("-0.05", "GBP")).toEqual(money(0n, -50_000_000));
    expect(parse("much", "GBP")).toBeUndefined();
    expect(parse("1.00", undefined)).toBeUndefined();
  });
});
