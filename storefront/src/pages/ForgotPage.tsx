// The way back to a forgotten password: a code by mail, then a new password.
import { useState } from "react";
import { Field } from "../parts/Field";
import { Refused } from "../parts/Notice";
import { Page } from "../parts/Page";
import { navigate, useQuery } from "../router/location";
import { Link } from "../router/Link";
import { within } from "../router/match";
import { useShop } from "../state/context";
import { emailFault, PASSWORD_HINT, passwordFault, useForm } from "./account/use-form";

export function ForgotPage() {
  const query = useQuery();
  const next = within(query.get("next"));
  const [email, setEmail] = useState(query.get("email") ?? "");
  const [asked, setAsked] = useState(false);
  const onward = next === "/" ? "" : `next=${encodeURIComponent(next)}`;
  return asked ? (
    <Renew email={email.trim()} onward={onward} back={() => setAsked(false)} />
  ) : (
    <Ask email={email} change={setEmail} onward={onward} done={() => setAsked(true)} />
  );
}

function Ask({ email, change, onward, done }: { email: string; change: (email: string) => void; onward: string; done: () => void }) {
  const shop = useShop();
  const { form, busy, refusal, fields, submit } = useForm(async () => {
    await shop.entrance.requestPasswordReset({ email: email.trim() });
    done();
  });
  return (
    <Page title="Forgot your password?" narrow lead="We send you a code, and you choose a new one.">
      <form ref={form} className="panel fields one" noValidate onSubmit={(event) => void submit(event, () => emailFault(email))}>
        {refusal && <Refused refusal={refusal} />}
        <Field
          label="E-mail"
          type="email"
          required
          autoComplete="username"
          maxLength={254}
          value={email}
          fault={fields["email"]}
          onChange={(event) => change(event.target.value)}
        />
        <button type="submit" className="button main" disabled={busy}>
          {busy ? "One moment…" : "Send me a code"}
        </button>
        <p className="quiet">
          Remembered it? <Link to={onward ? `/sign-in?${onward}` : "/sign-in"}>Sign in</Link>
        </p>
      </form>
    </Page>
  );
}

function Renew({ email, onward, back }: { email: string; onward: string; back: () => void }) {
  const shop = useShop();
  const [code, setCode] = useState("");
  const [password, setPassword] = useState("");
  const { form, busy, refusal, fields, submit } = useForm(async () => {
    await shop.entrance.resetPassword({ email, code, newPassword: password });
    navigate(`/sign-in?reset${onward && `&${onward}`}`, { replace: true });
  });
  const check = () => ({
    ...(code.length === 8 ? {} : { code: "The code has eight digits." }),
    ...passwordFault("new_password", password),
  });
  return (
    <Page title="Look into your mail" narrow lead={`If ${email} has an account, a code of eight digits is on its way. It works for half an hour.`}>
      <form ref={form} className="panel fields one" noValidate onSubmit={(event) => void submit(event, check)}>
        {refusal && <Refused refusal={refusal} />}
        {/* Tells a password keeper whose password this is. */}
        <input type="text" autoComplete="username" value={email} readOnly hidden />
        <Field
          label="Code"
          required
          inputMode="numeric"
          autoComplete="one-time-code"
          className="code"
          value={code}
          fault={fields["code"]}
          onChange={(event) => setCode(event.target.value.replace(/\D/g, "").slice(0, 8))}
        />
        <Field
          label="New password"
          type="password"
          required
          autoComplete="new-password"
          maxLength={128}
          hint={PASSWORD_HINT}
          value={password}
          fault={fields["new_password"]}
          onChange={(event) => setPassword(event.target.value)}
        />
        <button type="submit" className="button main" disabled={busy}>
          {busy ? "One moment…" : "Set the new password"}
        </button>
        <button type="button" className="plain" onClick={back}>
          Ask for another code
        </button>
      </form>
    </Page>
  );
}
