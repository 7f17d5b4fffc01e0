// A labelled input with what is wrong about it beside it.
import { type InputHTMLAttributes, type ReactNode, type SelectHTMLAttributes, useId } from "react";

type Around = { label: string; fault?: string; hint?: ReactNode; optional?: boolean; wide?: boolean };
type Inside = { id: string; "aria-invalid"?: true; "aria-describedby"?: string };

function Frame({ label, fault, hint, optional, wide, children }: Around & { children: (inside: Inside) => ReactNode }) {
  const id = useId();
  const notes = [hint && `${id}-hint`, fault && `${id}-fault`].filter(Boolean).join(" ");
  return (
    <div className={wide ? "field wide" : "field"}>
      <label htmlFor={id}>
        {label}
        {optional && <span className="quiet"> (optional)</span>}
      </label>
      {children({ id, "aria-invalid": fault ? true : undefined, "aria-describedby": notes || undefined })}
      {hint && (
        <p className="hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
      {fault && (
        <p className="fault" id={`${id}-fault`}>
          {fault}
        </p>
      )}
    </div>
  );
}

export function Field({ label, fault, hint, optional, wide, ...input }: Around & InputHTMLAttributes<HTMLInputElement>) {
  return (
    <Frame {...{ label, fault, hint, optional, wide }}>
      {(inside) => <input type="text" {...input} {...inside} required={input.required && !optional} />}
    </Frame>
  );
}

export function Choice({ label, fault, hint, optional, wide, ...select }: Around & SelectHTMLAttributes<HTMLSelectElement>) {
  return <Frame {...{ label, fault, hint, optional, wide }}>{(inside) => <select {...select} {...inside} />}</Frame>;
}

/** Leads to the first field at fault below an element. */
export function showFault(form: HTMLElement | null): void {
  // The faults are drawn first.
  requestAnimationFrame(() => form?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus());
}
