// Times as people read them.
import { type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";

const DAY = new Intl.DateTimeFormat(undefined, { dateStyle: "long" });
const MOMENT = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

export function day(time: Timestamp | undefined): string {
  return time ? DAY.format(timestampDate(time)) : "";
}

export function moment(time: Timestamp | undefined): string {
  return time ? MOMENT.format(timestampDate(time)) : "";
}

/** For the `datetime` attribute. */
export function machine(time: Timestamp | undefined): string | undefined {
  return time ? timestampDate(time).toISOString() : undefined;
}

/** Such as `3 to 5 days`. */
export function days(least: number, most: number): string {
  const unit = most === 1 ? "day" : "days";
  if (most <= 0) return "";
  return least === most || least <= 0 ? `${most} ${unit}` : `${least} to ${most} ${unit}`;
}

export function wait(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal?.addEventListener("abort", end);
  });
}
