// Where the order goes.
import type { Address } from "../../gen/cartwright/identity/v1/identity_pb";
import { COUNTRIES } from "../../parts/countries";
import { Choice, Field } from "../../parts/Field";
import { type AddressDraft, fromKept } from "./draft";

type Props = {
  address: AddressDraft;
  faults: Record<string, string>;
  /** Why nothing can be sent there. */
  countryFault?: string;
  kept: Address[];
  onChange: (address: AddressDraft) => void;
};

export function Addressing({ address, faults, countryFault, kept, onChange }: Props) {
  const input = (key: keyof AddressDraft, path: string, autoComplete: string) => ({
    value: address[key],
    fault: faults[`shipping_address.${path}`],
    autoComplete: `shipping ${autoComplete}`,
    onChange: (event: { target: { value: string } }) => onChange({ ...address, [key]: event.target.value }),
  });
  return (
    <div className="fields">
      {kept.length > 0 && <Kept kept={kept} onPick={(one) => onChange(one)} />}
      <Field label="Name" wide required maxLength={100} {...input("recipient", "recipient", "name")} />
      <Field label="Street and number" wide required maxLength={200} {...input("line1", "line1", "address-line1")} />
      <Field label="More" optional wide maxLength={200} {...input("line2", "line2", "address-line2")} />
      <Field label="Postal code" optional maxLength={20} {...input("postalCode", "postal_code", "postal-code")} />
      <Field label="City" required maxLength={100} {...input("city", "city", "address-level2")} />
      <Field label="State or county" optional maxLength={100} {...input("region", "region", "address-level1")} />
      <Choice
        label="Country"
        {...input("countryCode", "country_code", "country")}
        fault={faults["shipping_address.country_code"] ?? countryFault}
      >
        {COUNTRIES.map(({ code, name }) => (
          <option key={code} value={code}>
            {name}
          </option>
        ))}
      </Choice>
      <Field label="Phone" optional wide type="tel" maxLength={32} hint="For the carrier, such as +44 20 7946 0000." {...input("phone", "phone", "tel")} />
    </div>
  );
}

function Kept({ kept, onPick }: { kept: Address[]; onPick: (address: AddressDraft) => void }) {
  return (
    <Choice
      label="Use a kept address"
      wide
      defaultValue=""
      onChange={(event) => {
        const chosen = kept.find((one) => one.name === event.target.value)?.postalAddress;
        if (chosen) onPick(fromKept(chosen));
      }}
    >
      <option value="">Choose…</option>
      {kept.map(({ name, postalAddress }) => (
        <option key={name} value={name}>
          {[postalAddress?.recipient, postalAddress?.line1, postalAddress?.city].filter(Boolean).join(", ")}
        </option>
      ))}
    </Choice>
  );
}
