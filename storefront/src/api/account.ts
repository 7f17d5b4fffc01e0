// Coming in and going out.
import { isAborted } from "./errors";
import { once } from "./retry";
import type { Shop } from "./shop";

/** Signs in, and brings along what the guest had in the cart. */
export async function signIn(shop: Shop, email: string, password: string): Promise<void> {
  const { session } = shop;
  const guest = session.who.get().kind === "guest" ? await session.token().catch(() => undefined) : undefined;
  session.adopt(await shop.entrance.login({ email, password }));
  if (!guest) return;
  try {
    await once((requestId) => shop.cart.mergeCart({ guestAccessToken: guest, requestId }));
  } catch (error) {
    // Signing in succeeded. A cart that cannot be brought along is no reason to undo it.
    if (!isAborted(error)) console.warn("the guest's cart could not be merged");
  }
}

/** Signs out here even where the shop cannot be told. */
export async function signOut(shop: Shop): Promise<void> {
  try {
    await shop.identity.logout({});
  } catch {
    // The session ends by itself when its tokens do.
  } finally {
    shop.session.end();
  }
}
