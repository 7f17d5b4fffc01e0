// Making an account.
import { useState } from "react";
import { Intent } from "../api/key";
import { Field } from "../parts/Field";
import { Refused } from "../parts/Notice";
import { Page } from "../parts/Page";
import { navigate, useQuery } from "../router/location";
import { Link } from "../router/Link";
import { within } from "../router/match";
import { useShop } from "../state/context";
import { emailFault, PASSWORD_HINT, passwordFault, useForm } from "./account/use-form";

export function RegisterPage() {
  const shop = useShop();
  const next = within(useQuery().get("next"));
  const [email, setEmail] = useState("");
  const [displayName, setDisplayName] = useState("");
  const [password, setPassword] = useState("");
  const [intent] = useState(() => new Intent());
  const { form, busy, refusal, fields, submit } = useForm(async () => {
    const address = email.trim();
    const requestId = intent.key([address, displayName, password].join("\n"));
    await shop.entrance.register({ email: address, password, displayName: displayName.trim(), locale: navigator.language, requestId });
    const onward = next === "/" ? "" : `&next=${encodeURIComponent(next)}`;
    navigate(`/verify?email=${encodeURIComponent(address)}${onward}`);
  });
  const check = () => ({ ...emailFault(email), ...passwordFault("password", password) });
  return (
    <Page title="Make an account" narrow>
      <form ref={form} className="panel fields one" noValidate onSubmit={(event) => void submit(event, check)}>
        {refusal && <Refused refusal={refusal} />}
        <Field
          label="E-mail"
          type="email"
          required
          autoComplete="username"
          maxLength={254}
          value={email}
          fault={fields["email"]}
          onChange={(event) => setEmail(event.target.value)}
        />
        <Field
          label="What shall we call you?"
          optional
          autoComplete="name"
          maxLength={100}
          value={displayName}
          fault={fields["display_name"]}
          onChange={(event) => setDisplayName(event.target.value)}
        />
        <Field
          label="Password"
          type="password"
          required
          autoComplete="new-password"
          maxLength={128}
          hint={PASSWORD_HINT}
          value={password}
          fault={fields["password"]}
          onChange={(event) => setPassword(event.target.value)}
        />
        <button type="submit" className="button main" disabled={busy}>
          {busy ? "One moment…" : "Go on"}
        </button>
        <p className="quiet">
          Been here before? <Link to="/sign-in">Sign in</Link>
        </p>
      </form>
    </Page>
  );
}
