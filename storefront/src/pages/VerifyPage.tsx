// Proving an e-mail address by the code sent to it.
import { useState } from "react";
import { explain } from "../api/errors";
import { Field } from "../parts/Field";
import { Notice, Refused } from "../parts/Notice";
import { Page } from "../parts/Page";
import { navigate, useQuery } from "../router/location";
import { within } from "../router/match";
import { useShop } from "../state/context";
import { emailFault, useForm } from "./account/use-form";

export function VerifyPage() {
  const shop = useShop();
  const query = useQuery();
  const next = within(query.get("next"));
  const [email, setEmail] = useState(query.get("email") ?? "");
  const [code, setCode] = useState("");
  const [resent, setResent] = useState("");
  const { form, busy, refusal, fields, submit } = useForm(async () => {
    await shop.entrance.verifyContact({ email: email.trim(), code });
    const onward = next === "/" ? "" : `&next=${encodeURIComponent(next)}`;
    navigate(`/sign-in?verified${onward}`, { replace: true });
  });
  const resend = async () => {
    try {
      await shop.entrance.resendVerification({ email: email.trim() });
      setResent("If the address is waiting for a code, a new one is on its way.");
    } catch (error) {
      setResent(explain(error).message);
    }
  };
  const check = () => ({ ...emailFault(email), ...(code.length === 6 ? {} : { code: "The code has six digits." }) });
  return (
    <Page title="Look into your mail" narrow lead="We sent you a code of six digits. It works for fifteen minutes.">
      <form ref={form} className="panel fields one" noValidate onSubmit={(event) => void submit(event, check)}>
        {refusal && <Refused refusal={refusal} />}
        {resent && <Notice>{resent}</Notice>}
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
          label="Code"
          required
          inputMode="numeric"
          autoComplete="one-time-code"
          className="code"
          value={code}
          fault={fields["code"]}
          onChange={(event) => setCode(event.target.value.replace(/\D/g, "").slice(0, 6))}
        />
        <button type="submit" className="button main" disabled={busy}>
          {busy ? "One moment…" : "Confirm"}
        </button>
        <button type="button" className="plain" onClick={() => void resend()}>
          Send a new code
        </button>
      </form>
    </Page>
  );
}
