// The pages, and what is around all of them.
import type { ComponentType } from "react";
import type { Shop } from "./api/shop";
import { CartPage } from "./pages/CartPage";
import { CheckoutPage } from "./pages/checkout/CheckoutPage";
import { ForgotPage } from "./pages/ForgotPage";
import { MissingPage } from "./pages/MissingPage";
import { OrderPage } from "./pages/OrderPage";
import { OrdersPage } from "./pages/OrdersPage";
import { ProductPage } from "./pages/ProductPage";
import { RegisterPage } from "./pages/RegisterPage";
import { ShelfPage } from "./pages/ShelfPage";
import { SignInPage } from "./pages/SignInPage";
import { VerifyPage } from "./pages/VerifyPage";
import { Fallback } from "./parts/Fallback";
import { Header } from "./parts/Header";
import { News } from "./parts/News";
import { usePath } from "./router/location";
import { match } from "./router/match";
import { ShopProvider } from "./state/context";

/** Each page by its pattern; the parameters become its properties. */
const PAGES: [string, ComponentType<any>][] = [
  ["/", ShelfPage],
  ["/products/:product", ProductPage],
  ["/cart", CartPage],
  ["/checkout", CheckoutPage],
  ["/orders", OrdersPage],
  ["/orders/:order", OrderPage],
  ["/sign-in", SignInPage],
  ["/register", RegisterPage],
  ["/verify", VerifyPage],
  ["/forgot", ForgotPage],
];

export function App({ shop }: { shop: Shop }) {
  return (
    <ShopProvider shop={shop}>
      <a className="skip" href="#main">
        Skip to the page
      </a>
      <Header />
      <main id="main" tabIndex={-1}>
        <Route />
      </main>
      <footer className="footer">
        <p>Cartwright. A sandbox shop: no real money moves, and nothing is really sent.</p>
      </footer>
      <News />
    </ShopProvider>
  );
}

function Route() {
  const path = usePath();
  for (const [pattern, Page] of PAGES) {
    const params = match(pattern, path);
    if (params) {
      return (
        <Fallback key={path}>
          <Page {...params} />
        </Fallback>
      );
    }
  }
  return <MissingPage />;
}
