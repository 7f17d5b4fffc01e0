import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { explain } from "../src/api/errors";
import { cancelled } from "../src/api/messages";
import { RetryInfoSchema } from "../src/gen/google/rpc/error_details_pb";
import { refusal } from "./fake/shop";

describe("a refusal", () => {
  it("is told by its reason", () => {
    const told = explain(refusal(Code.Unauthenticated, "SIGN_IN_FAILED", "wrong"));
    expect(told.reason).toBe("SIGN_IN_FAILED");
    expect(told.message).toBe("E-mail address or password is wrong.");
    expect(told.transient).toBe(false);
  });

  it("tells what is wrong with each field, beside it", () => {
    const told = explain(
      refusal(Code.InvalidArgument, "INVALID_FIELD", "shipping_address.city must not be empty", {
        fields: { "shipping_address.city": "must not be empty" },
      }),
    );
    expect(told.fields).toEqual({ "shipping_address.city": "Must not be empty." });
    expect(told.message).toBe("Please check what is marked below.");
  });

  it("carries the values that led to it", () => {
    const told = explain(refusal(Code.FailedPrecondition, "PRICE_CHANGED", "x", { metadata: { total: "12.50", currency: "GBP" } }));
    expect(told.metadata).toEqual({ total: "12.50", currency: "GBP" });
  });

  it("of an unknown reason is told in the words of the service", () => {
    expect(explain(refusal(Code.FailedPrecondition, "MOON_FULL", "the moon is full")).message).toBe("The moon is full.");
  });

  it("says when to come back", () => {
    const value = { retryDelay: { seconds: 1n, nanos: 500_000_000 } };
    const told = explain(new ConnectError("busy", Code.Unavailable, undefined, [{ desc: RetryInfoSchema, value }]));
    expect(told.transient).toBe(true);
    expect(told.retryAfterMs).toBe(1500);
  });

  it("of a browser that is offline may be tried again", () => {
    const told = explain(ConnectError.from(new TypeError("Failed to fetch")));
    expect(told.transient).toBe(true);
    expect(told.message).toContain("connection");
  });

  it("of our own fault tells nothing of it", () => {
    expect(explain(new ConnectError("stack trace", Code.Internal)).message).not.toContain("stack");
  });
});

it("a cancelled order says why in words, and never in capitals", () => {
  expect(cancelled("CARD_DECLINED")).toBe("The card was declined.");
  expect(cancelled("SOMETHING_NEW")).toBe("");
  expect(cancelled("I changed my mind")).toBe("I changed my mind");
});
