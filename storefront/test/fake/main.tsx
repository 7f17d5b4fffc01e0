// Opens the storefront on a shop in memory: `npm run dev:fake`.
import { openShop } from "../../src/api/shop";
import { open } from "../../src/open";
import { FakeShop } from "./shop";

const fake = new FakeShop();
fake.stepMs = 4_000;
open(openShop(fake.dial, sessionStorage));
