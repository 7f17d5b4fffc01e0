// Something the shopper must know, with a way on where there is one.
import type { ReactNode } from "react";
import type { Refusal } from "../api/errors";

type Props = { tone?: "bad" | "good" | "plain"; title?: string; children?: ReactNode; action?: ReactNode };

export function Notice({ tone = "plain", title, children, action }: Props) {
  return (
    <div className={tone === "plain" ? "notice" : `notice ${tone}`} role={tone === "bad" ? "alert" : "status"}>
      <div>
        {title && <strong>{title}</strong>}
        {children && <div>{children}</div>}
      </div>
      {action}
    </div>
  );
}

/** A refused call. What may go through later can be tried again. */
export function Refused({ refusal, again }: { refusal: Refusal; again?: () => void }) {
  const action = again && refusal.transient && (
    <button type="button" className="button small" onClick={again}>
      Try again
    </button>
  );
  return (
    <Notice tone="bad" action={action}>
      {refusal.message}
    </Notice>
  );
}
