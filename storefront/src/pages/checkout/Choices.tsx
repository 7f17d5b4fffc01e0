// One of several ways: of sending, of paying.
import type { ReactNode } from "react";
import { format } from "../../api/money";
import { days } from "../../api/time";
import type { ShippingOption } from "../../gen/cartwright/order/v1/order_pb";
import { isPositive } from "../../api/money";
import { CARDS } from "./draft";

type RadioProps = { name: string; value: string; checked: boolean; onPick: (value: string) => void; title: ReactNode; about?: ReactNode; right?: ReactNode };

function Radio({ name, value, checked, onPick, title, about, right }: RadioProps) {
  return (
    <label className="radio">
      <input type="radio" name={name} value={value} checked={checked} onChange={() => onPick(value)} />
      <span className="radio-words">
        <span>{title}</span>
        {about && <span className="quiet">{about}</span>}
      </span>
      {right && <span className="radio-right">{right}</span>}
    </label>
  );
}

type SendingProps = { options: ShippingOption[]; chosen: string; waiting: boolean; onPick: (rate: string) => void };

export function Sending({ options, chosen, waiting, onPick }: SendingProps) {
  if (options.length === 0) {
    return <p className="quiet">{waiting ? "Looking up the ways to send it…" : "There is no way to send it there."}</p>;
  }
  return (
    <div className="radios" role="radiogroup" aria-label="How it is sent">
      {options.map((option) => {
        const time = days(option.daysMin, option.daysMax);
        return (
          <Radio
            key={option.rate}
            name="sending"
            value={option.rate}
            checked={option.rate === chosen}
            onPick={onPick}
            title={option.title}
            about={time && `In ${time}`}
            right={isPositive(option.price) ? format(option.price) : "Free"}
          />
        );
      })}
    </div>
  );
}

export function Paying({ token, onPick }: { token: string; onPick: (token: string) => void }) {
  return (
    <>
      <p className="sandbox">Sandbox: these are test cards. No real card is asked for, and no money moves.</p>
      <div className="radios" role="radiogroup" aria-label="How it is paid">
        {CARDS.map((card) => (
          <Radio
            key={card.token}
            name="paying"
            value={card.token}
            checked={card.token === token}
            onPick={onPick}
            title={card.title}
            about={card.about}
            right={<span className="tag">Test</span>}
          />
        ))}
      </div>
    </>
  );
}
