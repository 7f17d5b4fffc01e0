// Amounts of money: whole units and billionths, never a float.
import { create } from "@bufbuild/protobuf";
import { type Money, MoneySchema } from "../gen/google/type/money_pb";

const NANOS = 1_000_000_000n;

/** The amount as a decimal number, exact: `-12.500000000`. */
export function decimal(money: Money): string {
  const total = billionths(money);
  const size = total < 0n ? -total : total;
  const fraction = (size % NANOS).toString().padStart(9, "0");
  return `${total < 0n ? "-" : ""}${size / NANOS}.${fraction}`;
}

/** The amount as people write it, such as `£12.50`. */
export function format(money: Money | undefined, locale?: string): string {
  if (!money?.currencyCode) return "";
  const number = formatter(money.currencyCode, locale);
  // Intl takes decimal text and keeps every digit of it.
  return number.format(decimal(money) as Intl.StringNumericLiteral);
}

/** Negative, zero or positive, as the first amount is less, equal or more. Both are in one currency. */
export function compare(one: Money, other: Money): number {
  const difference = billionths(one) - billionths(other);
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

export function isPositive(money: Money | undefined): money is Money {
  return money !== undefined && billionths(money) > 0n;
}

export function negative(money: Money): Money {
  return create(MoneySchema, { currencyCode: money.currencyCode, units: -money.units, nanos: -money.nanos });
}

/** Reads what a refusal says, such as `12.50` and `GBP`; nothing where it is no amount. */
export function parse(text: string | undefined, currencyCode: string | undefined): Money | undefined {
  const found = /^(-?)(\d+)(?:\.(\d{1,9}))?$/.exec(text ?? "");
  if (!found || !currencyCode) return undefined;
  const [, sign, units = "0", fraction = ""] = found;
  const money = create(MoneySchema, { currencyCode, units: BigInt(units), nanos: Number(fraction.padEnd(9, "0")) });
  return sign ? negative(money) : money;
}

function billionths(money: Money): bigint {
  return money.units * NANOS + BigInt(money.nanos);
}

const formatters = new Map<string, Intl.NumberFormat>();

function formatter(currency: string, locale: string | undefined): Intl.NumberFormat {
  const key = `${locale ?? ""} ${currency}`;
  let found = formatters.get(key);
  if (!found) {
    found = new Intl.NumberFormat(locale, { style: "currency", currency });
    formatters.set(key, found);
  }
  return found;
}
