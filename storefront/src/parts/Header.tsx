// What is above every page: the name, the search, who is here, the cart.
import { useEffect, useRef, useState } from "react";
import { signOut } from "../api/account";
import { navigate, usePath, useQuery } from "../router/location";
import { Link } from "../router/Link";
import { pieces } from "../state/cart";
import { useCartView, useShop, useWho } from "../state/context";
import { Basket, Lens, Wheel } from "./icons";

const TYPING_MS = 250;

export function Header() {
  const count = pieces(useCartView().cart);
  return (
    <header className="header">
      <div className="header-inside">
        <Link to="/" className="brand" aria-label="Cartwright, to the shop">
          <Wheel />
          <span>Cartwright</span>
        </Link>
        <Search />
        <nav className="header-nav" aria-label="You">
          <Account />
          <Link to="/cart" className="cart-link" aria-label={count === 1 ? "Cart, 1 piece" : `Cart, ${count} pieces`}>
            <Basket />
            <span className="wide-only">Cart</span>
            {count > 0 && (
              <span className="count" key={count}>
                {count}
              </span>
            )}
          </Link>
        </nav>
      </div>
    </header>
  );
}

function Account() {
  const who = useWho();
  const shop = useShop();
  if (who.kind === "nobody") return <Link to="/sign-in">Sign in</Link>;
  return (
    <>
      <Link to="/orders">Orders</Link>
      {who.kind === "guest" ? (
        <Link to="/sign-in">Sign in</Link>
      ) : (
        <button type="button" className="plain" onClick={() => void signOut(shop).then(() => navigate("/"))}>
          Sign out
        </button>
      )}
    </>
  );
}

/** Finds while typing; the words are kept in the address. */
function Search() {
  const query = useQuery();
  const path = usePath();
  const words = path === "/" ? (query.get("q") ?? "") : "";
  const [text, setText] = useState(words);
  const typed = useRef(words);
  useEffect(() => {
    // Came from elsewhere, such as the back button.
    if (words !== typed.current.trim()) {
      typed.current = words;
      setText(words);
    }
  }, [words]);
  const go = (wanted: string) => {
    const next = new URLSearchParams(path === "/" ? query : undefined);
    if (wanted) next.set("q", wanted);
    else next.delete("q");
    if (wanted === words && path === "/") return;
    navigate(next.size > 0 ? `/?${next}` : "/", { replace: path === "/" && words !== "" });
  };
  const latest = useRef(go);
  latest.current = go;
  useEffect(() => {
    if (text === typed.current) return;
    typed.current = text;
    const timer = setTimeout(() => latest.current(text.trim()), TYPING_MS);
    return () => clearTimeout(timer);
  }, [text]);
  return (
    <form
      className="search"
      role="search"
      onSubmit={(event) => {
        event.preventDefault();
        go(text.trim());
      }}
    >
      <Lens />
      <input
        type="search"
        aria-label="Search the shop"
        placeholder="Search"
        maxLength={200}
        value={text}
        onChange={(event) => setText(event.target.value)}
      />
    </form>
  );
}
