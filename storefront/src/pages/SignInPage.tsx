// Signing in.
import { useState } from "react";
import { signIn } from "../api/account";
import { Field } from "../parts/Field";
import { Refused } from "../parts/Notice";
import { Page } from "../parts/Page";
import { navigate, useQuery } from "../router/location";
import { Link } from "../router/Link";
import { within } from "../router/match";
import { useCart, useShop } from "../state/context";
import { emailFault, useForm } from "./account/use-form";

export function SignInPage() {
  const shop = useShop();
  const cart = useCart();
  const query = useQuery();
  const next = within(query.get("next"));
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const { form, busy, refusal, fields, submit } = useForm(async () => {
    await signIn(shop, email.trim(), password);
    // The guest's cart is in it now.
    await cart.load().catch(() => {});
    navigate(next, { replace: true });
  });
  const onward = next === "/" ? "" : `?next=${encodeURIComponent(next)}`;
  const forgot = new URLSearchParams({ ...(email.trim() && { email: email.trim() }), ...(next !== "/" && { next }) }).toString();
  const check = () => ({ ...emailFault(email), ...(password ? {} : { password: "Please give your password." }) });
  return (
    <Page title="Sign in" narrow>
      <form ref={form} className="panel fields one" noValidate onSubmit={(event) => void submit(event, check)}>
        {query.has("verified") && <p className="good-words">Your address is confirmed. Sign in now.</p>}
        {query.has("reset") && <p className="good-words">Your new password is set. Sign in with it now.</p>}
        {refusal && <Refused refusal={refusal} />}
        {refusal?.reason === "CONTACT_UNVERIFIED" && (
          <Link to={`/verify?email=${encodeURIComponent(email.trim())}`}>Confirm your address</Link>
        )}
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
          label="Password"
          type="password"
          required
          autoComplete="current-password"
          maxLength={128}
          value={password}
          fault={fields["password"]}
          onChange={(event) => setPassword(event.target.value)}
        />
        <button type="submit" className="button main" disabled={busy}>
          {busy ? "One moment…" : "Sign in"}
        </button>
        <p className="quiet">
          <Link to={forgot ? `/forgot?${forgot}` : "/forgot"}>Forgot your password?</Link>
        </p>
        <p className="quiet">
          New here? <Link to={`/register${onward}`}>Make an account</Link>
        </p>
      </form>
    </Page>
  );
}
