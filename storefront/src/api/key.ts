// The keys that make a call safe to repeat.

/** A random UUID. `crypto.randomUUID` is missing where a shop is tried over plain HTTP on a local network. */
export function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6]! & 0x0f) | 0x40;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

/** One thing a shopper means to do. It keeps its key until it is settled, however often it is tried. */
export class Intent {
  #content: string | undefined;
  #key = "";

  /** The key for this content: the same again until it is settled, another for other content. */
  key(content: string): string {
    if (this.#content !== content) {
      this.#content = content;
      this.#key = newKey();
    }
    return this.#key;
  }

  /** There was an answer that counts. What is done next is meant anew. */
  settle(): void {
    this.#content = undefined;
  }
}
