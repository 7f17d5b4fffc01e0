// What a refused call means to the person who shops.
import { durationMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "../gen/google/rpc/error_details_pb";
import { MESSAGES } from "./messages";

/** A refusal, ready to be shown. */
export type Refusal = {
  code: Code;
  /** The stable reason, such as `PRICE_CHANGED`; empty where there is none. */
  reason: string;
  /** One sentence for the shopper. */
  message: string;
  /** What is wrong with each field, by its path in the request, such as `shipping_address.city`. */
  fields: Record<string, string>;
  /** The values that came with the reason. */
  metadata: Record<string, string>;
  /** Whether the same call may go through later. */
  transient: boolean;
  /** How long to wait before that. */
  retryAfterMs: number | undefined;
};

/** Reads an error of any kind. */
export function explain(error: unknown): Refusal {
  const failure = ConnectError.from(error);
  const info = failure.findDetails(ErrorInfoSchema)[0];
  const retry = failure.findDetails(RetryInfoSchema)[0]?.retryDelay;
  const fields: Record<string, string> = {};
  for (const violation of failure.findDetails(BadRequestSchema).flatMap((bad) => bad.fieldViolations)) {
    fields[violation.field] ??= sentence(violation.description);
  }
  const reason = info?.reason ?? "";
  return {
    code: failure.code,
    reason,
    message: MESSAGES[reason] ?? inWords(failure, Object.keys(fields).length > 0),
    fields,
    metadata: info?.metadata ?? {},
    transient: isTransient(failure),
    retryAfterMs: retry ? durationMs(retry) : undefined,
  };
}

/** Whether nobody wants to know: the page that asked is gone. */
export function isAborted(error: unknown): boolean {
  return ConnectError.from(error).code === Code.Canceled;
}

/** The stable reason of an error. */
export function reasonOf(error: unknown): string {
  return ConnectError.from(error).findDetails(ErrorInfoSchema)[0]?.reason ?? "";
}

function isTransient(failure: ConnectError): boolean {
  switch (failure.code) {
    case Code.Unavailable:
    case Code.DeadlineExceeded:
    case Code.Aborted:
    case Code.ResourceExhausted:
      return true;
    default:
      return isOffline(failure);
  }
}

/** A browser that cannot reach the edge says so with a TypeError. */
function isOffline(failure: ConnectError): boolean {
  return failure.cause instanceof TypeError;
}

function inWords(failure: ConnectError, named: boolean): string {
  if (isOffline(failure)) return "The shop cannot be reached. Check your connection and try again.";
  switch (failure.code) {
    case Code.Unavailable:
      return "The shop cannot be reached right now. Please try again in a moment.";
    case Code.DeadlineExceeded:
      return "That took too long. Please try again.";
    case Code.Unauthenticated:
      return "Please sign in to go on.";
    case Code.PermissionDenied:
      return "You may not do that with this account.";
    case Code.NotFound:
      return "We could not find that.";
    case Code.ResourceExhausted:
      return "That is too much at once. Please wait a moment.";
    case Code.InvalidArgument:
      return named ? "Please check what is marked below." : sentence(failure.rawMessage);
    case Code.FailedPrecondition:
    case Code.AlreadyExists:
    case Code.Aborted:
    case Code.OutOfRange:
      return sentence(failure.rawMessage);
    default:
      return "Something went wrong on our side. Please try again.";
  }
}

/** The words as a sentence of their own. */
export function sentence(words: string): string {
  const trimmed = words.trim();
  if (!trimmed) return "";
  const text = trimmed.charAt(0).toUpperCase() + trimmed.slice(1);
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
