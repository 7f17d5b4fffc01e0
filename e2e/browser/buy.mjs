// A guest buys in a real browser: finds a product, fills the cart, checks out, and sees the order confirmed.
// SHOP is the URL of the edge; screenshots go to the folder SCREENSHOTS.
import { join } from "node:path";
import { chromium } from "playwright-core";

const { SHOP, SCREENSHOTS } = process.env;
const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"],
});

try {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 }, locale: "en-GB" });
  page.setDefaultTimeout(30_000);
  const complaints = [];
  // A refused style or script, and a script that fails, would show nowhere else.
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  const shot = (name) => page.screenshot({ path: join(SCREENSHOTS, `${name}.png`) });

  await page.goto(SHOP);
  await page.getByRole("link", { name: /Stoneware mug/ }).first().click();
  await page.getByRole("button", { name: "Add to cart" }).click();
  await shot("product");
  await page.goto(`${SHOP}/cart`);
  await page.getByRole("link", { name: "To the checkout" }).click();

  await page.getByLabel("E-mail").fill("grace.hopper@example.com");
  await page.getByLabel("Name").first().fill("Grace Hopper");
  await page.getByLabel("Street and number").fill("1 Harbour Road");
  await page.getByLabel("Postal code").fill("BS1 4DJ");
  await page.getByLabel("City").fill("Bristol");
  await page.getByLabel("Country").selectOption("GB");
  await page.getByRole("radio", { name: /4242/ }).check();
  const pay = page.getByRole("button", { name: /^Pay £/ });
  await pay.waitFor();
  await shot("checkout");
  await pay.dblclick(); // as impatient people do: one order all the same

  await page.waitForURL(/\/orders\//);
  await page.getByText("Confirmed").first().waitFor();
  await shot("order");

  if (complaints.length > 0) throw new Error(`the browser complained:\n${complaints.join("\n")}`);
  console.log("bought");
} finally {
  await browser.close();
}
