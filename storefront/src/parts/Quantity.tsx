// How many: one less, a number, one more.
import { useEffect, useState } from "react";

type Props = { label: string; value: number; least?: number; most?: number; disabled?: boolean; onChange: (value: number) => void };

export function Quantity({ label, value, least = 1, most = 999, disabled, onChange }: Props) {
  const [text, setText] = useState(String(value));
  useEffect(() => setText(String(value)), [value]);
  const set = (wanted: number) => {
    const within = Math.min(most, Math.max(least, Math.trunc(wanted)));
    if (Number.isNaN(within)) return setText(String(value));
    setText(String(within));
    if (within !== value) onChange(within);
  };
  return (
    <div className="quantity" role="group" aria-label={label}>
      <button type="button" aria-label="One less" disabled={disabled || value <= least} onClick={() => set(value - 1)}>
        −
      </button>
      <input
        aria-label={label}
        inputMode="numeric"
        value={text}
        disabled={disabled}
        onChange={(event) => setText(event.target.value.replace(/\D/g, "").slice(0, 3))}
        onBlur={() => set(text === "" ? Number.NaN : Number(text))}
        onKeyDown={(event) => event.key === "Enter" && event.currentTarget.blur()}
      />
      <button type="button" aria-label="One more" disabled={disabled || value >= most} onClick={() => set(value + 1)}>
        +
      </button>
    </div>
  );
}
