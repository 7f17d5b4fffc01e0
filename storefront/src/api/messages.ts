// What the stable reasons mean, in words for the person who shops.

/** For refused calls. What is missing here is told in the words of the service, or by its code. */
export const MESSAGES: Record<string, string> = {
  ACCOUNT_DISABLED: "This account is closed. Please contact us.",
  CART_ALREADY_ORDERED: "An order was made of this cart already.",
  CART_CLOSED: "This cart is closed: an order was made of it already.",
  CART_EMPTY: "Your cart is empty.",
  CODE_INVALID: "This code is wrong or has expired. Check it, or ask for a new one.",
  CONTACT_MISSING: "Please tell us where to reach you about the order.",
  CONTACT_UNVERIFIED: "Please confirm your e-mail address first.",
  COUPON_EXPIRED: "This coupon has expired.",
  COUPON_INVALID: "This coupon cannot be used for this order.",
  COUPON_NOT_FOUND: "We do not know this coupon.",
  CURRENCY_MIXED: "Everything in one order must be in one currency.",
  INSUFFICIENT_STOCK: "There is not enough in stock.",
  NOT_SHIPPABLE: "We do not send to this country.",
  NOTHING_TO_BUY: "Your cart is empty.",
  ORDER_NOT_CANCELLABLE: "This order is on its way and can no longer be cancelled.",
  ORDER_NOT_FOUND: "We could not find this order. It may belong to another account.",
  PASSWORD_RESET_INVALID: "That code does not work. It may be wrong, used or older than half an hour: check it, or ask for another.",
  PASSWORD_RESET_LIMITED: "Three codes are on their way already. Use the newest, or wait an hour before you ask again.",
  PEER_AWAY: "Part of the shop is not answering. Nothing was done; please try again in a moment.",
  PRICE_CHANGED: "The price has changed.",
  PRODUCT_NOT_FOUND: "We could not find this product. It may not be sold any more.",
  REFRESH_TOKEN_INVALID: "Your session has ended. Please sign in again.",
  REQUEST_IN_FLIGHT: "We are still working on this. One moment, please.",
  SESSION_ENDED: "Your session has ended. Please sign in again.",
  SHIPPING_RATE_UNAVAILABLE: "This way of sending is not offered any more. Please choose another.",
  SIGN_IN_BUSY: "Many people are signing in right now. Please try again in a moment.",
  SIGN_IN_FAILED: "E-mail address or password is wrong.",
  SIGN_IN_LOCKED: "Too many failed attempts. Please wait a while before you try again.",
  SIGN_IN_REQUIRED: "Please sign in to go on.",
  STORAGE_BUSY: "Many people are buying this right now. Please try again in a moment.",
  STORAGE_UNAVAILABLE: "The shop cannot be reached right now. Please try again in a moment.",
  TOKEN_EXPIRED: "Your session has ended. Please sign in again.",
  USER_REQUIRED: "Please sign in to go on.",
  VARIANT_NOT_FOUND: "This is not sold any more.",
  VARIANT_UNAVAILABLE: "This is not sold any more.",
};

const CANCELLED: Record<string, string> = {
  CARD_DECLINED: "The card was declined.",
  INSUFFICIENT_FUNDS: "There was not enough money on the card.",
  INSUFFICIENT_STOCK: "Somebody was faster: there was not enough left in stock.",
  COUPON_INVALID: "The coupon could not be used.",
  COUPON_EXHAUSTED: "The coupon had been used up.",
  PAYMENT_DECLINED: "The payment was declined.",
  PAYMENT_DENIED: "We could not accept this payment.",
  SAGA_DEADLINE_PASSED: "We could not carry it out in time.",
};

/** Why an order was cancelled. Reasons in capitals are for programs; anything else was written by a person. */
export function cancelled(reason: string): string {
  const known = CANCELLED[reason] ?? MESSAGES[reason];
  return known ?? (/^[A-Z][A-Z0-9_]*$/.test(reason) ? "" : reason);
}
