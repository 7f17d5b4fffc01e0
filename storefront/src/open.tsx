// Puts the shop on the page.
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import type { Shop } from "./api/shop";
import { App } from "./App";

export function open(shop: Shop): void {
  createRoot(document.getElementById("shop")!).render(
    <StrictMode>
      <App shop={shop} />
    </StrictMode>,
  );
}
