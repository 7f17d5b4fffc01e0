// What every page can reach.
import { createContext, type ReactNode, useContext, useEffect, useMemo } from "react";
import type { Shop } from "../api/shop";
import type { Who } from "../api/session";
import { CartState, type CartView } from "./cart";
import { Observable, useObservable } from "./observable";

type Everything = {
  shop: Shop;
  cart: CartState;
  /** The latest news for those who cannot see the page change. */
  news: Observable<string>;
};

const Context = createContext<Everything | undefined>(undefined);

export function ShopProvider({ shop, children }: { shop: Shop; children: ReactNode }) {
  const everything = useMemo(() => ({ shop, cart: new CartState(shop), news: new Observable("") }), [shop]);
  const who = useObservable(shop.session.who);
  const subject = who.kind === "nobody" ? "" : who.subject;
  useEffect(() => {
    // Somebody else has another cart.
    everything.cart.load().catch(() => {});
  }, [everything, subject]);
  return <Context value={everything}>{children}</Context>;
}

function useEverything(): Everything {
  const everything = useContext(Context);
  if (!everything) throw new Error("only below ShopProvider");
  return everything;
}

export const useShop = (): Shop => useEverything().shop;
export const useWho = (): Who => useObservable(useShop().session.who);
export const useCart = (): CartState => useEverything().cart;
export const useCartView = (): CartView => useObservable(useCart().view);
export const useNews = (): Observable<string> => useEverything().news;
