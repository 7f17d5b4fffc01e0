import { cleanup, fireEvent, screen } from "@testing-library/react";
import { afterEach, expect, it } from "vitest";
import { visit } from "./support";

afterEach(cleanup);

const write = (label: string, value: string) => fireEvent.change(screen.getByLabelText(label), { target: { value } });
const press = (text: string, selector = "button") => fireEvent.click(screen.getByText(text, { selector }));

async function askForCode() {
  const visited = visit("/sign-in?next=/orders", undefined, "");
  await screen.findByLabelText("E-mail");
  write("E-mail", "ada@example.com");
  press("Forgot your password?", "a");
  await screen.findByText("Forgot your password?", { selector: "h1" });
  press("Send me a code");
  await screen.findByLabelText("Code");
  return visited;
}

it("who forgot the password sets a new one by a code, and signs in to go on", async () => {
  const { fake } = await askForCode();
  screen.getByText(/ada@example.com/);
  write("Code", "1234 5678");
  write("New password", "correct horse battery");
  press("Set the new password");
  await screen.findByText(/Your new password is set/);
  expect(fake.calls).toContain("ResetPassword");
  write("E-mail", "ada@example.com");
  write("Password", "correct horse battery");
  press("Sign in");
  await screen.findByText("Your orders", { selector: "h1" });
});

it("a code that does not count is told, and what was written stays", async () => {
  await askForCode();
  write("Code", "87654321");
  write("New password", "correct horse battery");
  press("Set the new password");
  await screen.findByText(/That code does not work/);
  expect((screen.getByLabelText("Code") as HTMLInputElement).value).toBe("87654321");
});

it("what cannot be right is told beside its field, and nothing is sent", async () => {
  const { fake } = await askForCode();
  write("Code", "1234");
  write("New password", "too short");
  press("Set the new password");
  await screen.findByText(/eight digits\.$/, { selector: ".fault" });
  await screen.findByText(/at least 15 characters/, { selector: ".fault" });
  expect(fake.calls).not.toContain("ResetPassword");
});
