// Who the shopper is. The access token lives in memory; the refresh token outlives a reload in this tab, no longer.
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { type Client, Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import type { Session as Granted, User } from "../gen/cartwright/identity/v1/identity_pb";
import type { IdentityService } from "../gen/cartwright/identity/v1/identity_service_pb";
import { Observable } from "../state/observable";
import { reasonOf } from "./errors";

/** Nobody yet, a guest, or a signed-in user. */
export type Who = { kind: "nobody" } | { kind: "guest"; subject: string } | { kind: "user"; subject: string; user?: User };

type Access = { token: string; renewAt: number };

const KEY = "cartwright.refresh";
/** A token is renewed this long before it ends. */
const AHEAD_MS = 30_000;
/** A clock that is off makes tokens look ended on arrival: then only a refusal tells. */
const LIFE_MIN_MS = 60_000;
const ENDED = new Set(["TOKEN_EXPIRED", "TOKEN_INVALID", "SESSION_ENDED"]);

export class Session {
  readonly who = new Observable<Who>({ kind: "nobody" });
  readonly #identity: Client<typeof IdentityService>;
  readonly #storage: Storage;
  #access: Access | undefined;
  #renewing: Promise<boolean> | undefined;
  #beginning: Promise<void> | undefined;

  /** The client must not be one that this session authorizes. */
  constructor(identity: Client<typeof IdentityService>, storage: Storage) {
    this.#identity = identity;
    this.#storage = storage;
  }

  /** The token to call with; nothing for somebody who has no session. */
  async token(): Promise<string | undefined> {
    const due = this.#access ? Date.now() >= this.#access.renewAt : this.#storage.getItem(KEY) !== null;
    if (due) await this.renew(this.#access?.token);
    return this.#access?.token;
  }

  /** Makes sure that there is somebody to call as: whoever is here, or a new guest. */
  async ensure(): Promise<void> {
    if (await this.token()) return;
    this.#beginning ??= this.#identity
      .createGuest({})
      .then((granted) => this.adopt(granted))
      .finally(() => (this.#beginning = undefined));
    await this.#beginning;
  }

  /** Takes over a session that was granted. */
  adopt(granted: Granted): void {
    const life = granted.accessExpireTime ? timestampMs(granted.accessExpireTime) - Date.now() : 0;
    const renewAt = life < LIFE_MIN_MS ? Number.POSITIVE_INFINITY : Date.now() + life - AHEAD_MS;
    this.#access = { token: granted.accessToken, renewAt };
    this.#storage.setItem(KEY, granted.refreshToken);
    const before = this.who.get();
    const subject = granted.subject;
    if (!subject.startsWith("users/")) {
      if (before.kind !== "guest" || before.subject !== subject) this.who.set({ kind: "guest", subject });
    } else {
      const known = before.kind === "user" && before.subject === subject ? before.user : undefined;
      this.who.set({ kind: "user", subject, user: granted.user ?? known });
    }
  }

  /** Forgets everything. */
  end(): void {
    this.#access = undefined;
    this.#storage.removeItem(KEY);
    this.who.set({ kind: "nobody" });
  }

  /**
   * Trades the refresh token, once for all who ask at the same time. False where there is nobody any more; an error
   * where it cannot be known.
   */
  renew(stale: string | undefined): Promise<boolean> {
    // Somebody was faster: there is a newer token already.
    if (this.#access && this.#access.token !== stale) return Promise.resolve(true);
    this.#renewing ??= this.#trade().finally(() => (this.#renewing = undefined));
    return this.#renewing;
  }

  async #trade(): Promise<boolean> {
    const refreshToken = this.#storage.getItem(KEY);
    if (!refreshToken) {
      this.end();
      return false;
    }
    try {
      this.adopt(await this.#identity.refreshSession({ refreshToken }));
      return true;
    } catch (error) {
      const code = ConnectError.from(error).code;
      if (code !== Code.Unauthenticated && code !== Code.InvalidArgument && code !== Code.NotFound) throw error;
      this.end();
      return false;
    }
  }
}

/** Whether a call was refused because its token is no longer good. */
export function isStale(error: unknown): boolean {
  return ConnectError.from(error).code === Code.Unauthenticated && ENDED.has(reasonOf(error));
}

/** Sends the token with each call. A call refused for an old token was not carried out: it is made once more. */
export function authorize(session: Session): Interceptor {
  return (next) => async (request) => {
    const token = await session.token();
    if (token) request.header.set("authorization", `Bearer ${token}`);
    try {
      return await next(request);
    } catch (error) {
      if (!token || !isStale(error)) throw error;
      await session.renew(token);
      // What streams its request cannot be sent again; who watches opens anew.
      if (request.stream) throw error;
      const fresh = await session.token();
      if (fresh) request.header.set("authorization", `Bearer ${fresh}`);
      else request.header.delete("authorization");
      return await next(request);
    }
  };
}
