// What the shopper fills in at the checkout, and what is missing of it.
import type { PostalAddress } from "../../gen/cartwright/common/v1/address_pb";
import { likelyCountry } from "../../parts/countries";

export type AddressDraft = Record<"recipient" | "line1" | "line2" | "city" | "region" | "postalCode" | "countryCode" | "phone", string>;

export type Draft = { email: string; address: AddressDraft; keepAddress: boolean; rate: string; token: string };

export const CARDS = [
  { token: "tok_visa", title: "Visa •••• 4242", about: "Test card that works" },
  { token: "tok_declined", title: "Visa •••• 0002", about: "Test card that is declined" },
  { token: "tok_insufficient_funds", title: "Visa •••• 9995", about: "Test card without enough money" },
] as const;

export function emptyDraft(): Draft {
  return {
    email: "",
    address: { recipient: "", line1: "", line2: "", city: "", region: "", postalCode: "", countryCode: likelyCountry(), phone: "" },
    keepAddress: false,
    rate: "",
    token: CARDS[0].token,
  };
}

export function fromKept(kept: PostalAddress): AddressDraft {
  const { recipient, line1, line2, city, region, postalCode, countryCode, phone } = kept;
  return { recipient, line1, line2, city, region, postalCode, countryCode, phone };
}

export function trimmed(address: AddressDraft): AddressDraft {
  return Object.fromEntries(Object.entries(address).map(([key, value]) => [key, value.trim()])) as AddressDraft;
}

/** What is missing, by the path the server would name it with. */
export function faults(draft: Draft, guest: boolean): Record<string, string> {
  const found: Record<string, string> = {};
  const need = (path: string, value: string, words: string) => {
    if (!value.trim()) found[path] = words;
  };
  if (guest && !/^\S+@\S+$/.test(draft.email.trim())) found["email"] = "Please give an e-mail address.";
  need("shipping_address.recipient", draft.address.recipient, "Who shall receive it?");
  need("shipping_address.line1", draft.address.line1, "Please give street and number.");
  need("shipping_address.city", draft.address.city, "Please give the city.");
  return found;
}
