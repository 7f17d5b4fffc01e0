// Sending a small form: one at a time, with what is wrong beside its field.
import { useEffect, useRef, useState } from "react";
import { explain, type Refusal } from "../../api/errors";
import { showFault } from "../../parts/Field";

export function useForm(send: () => Promise<void>) {
  const form = useRef<HTMLFormElement>(null);
  const [busy, setBusy] = useState(false);
  const [refusal, setRefusal] = useState<Refusal>();
  const [own, setOwn] = useState<Record<string, string>>({});
  const fields: Record<string, string> = { ...refusal?.fields, ...own };
  const count = Object.keys(fields).length;
  useEffect(() => {
    if (count > 0) showFault(form.current);
  }, [refusal, own, count]);

  const submit = async (event: { preventDefault: () => void }, check: () => Record<string, string> = () => ({})) => {
    event.preventDefault();
    if (busy) return;
    const found = check();
    setOwn(found);
    setRefusal(undefined);
    if (Object.keys(found).length > 0) return;
    setBusy(true);
    try {
      await send();
    } catch (error) {
      setRefusal(explain(error));
    } finally {
      setBusy(false);
    }
  };
  return { form, busy, refusal, fields, submit };
}

export function emailFault(email: string): Record<string, string> {
  return /^\S+@\S+$/.test(email.trim()) ? {} : { email: "Please give an e-mail address." };
}

const PASSWORD_MIN = 15;
export const PASSWORD_HINT = `At least ${PASSWORD_MIN} characters, whatever you like.`;

export function passwordFault(field: string, password: string): Record<string, string> {
  const short = [...password].length < PASSWORD_MIN;
  return short ? { [field]: `Please take at least ${PASSWORD_MIN} characters. A short sentence is fine.` } : {};
}
