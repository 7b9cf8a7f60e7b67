import { createHash, timingSafeEqual } from "node:crypto";
import { limits } from "../limits.js";

/** What a caller may do: `write` includes `read`, `admin` includes all. */
export type Role = "read" | "write" | "admin";

/** What a token allows, for names that begin with the prefix (empty: for all). */
export interface Grant {
  readonly role: Role;
  readonly prefix: string;
}

interface KnownToken extends Grant {
  readonly digest: Buffer;
}

/** The tokens that callers may come with. Only their digests are kept. */
export class Tokens {
  readonly #known: readonly KnownToken[];

  private constructor(known: readonly KnownToken[]) {
    this.#known = known;
  }

  /**
   * Reads `role token` and `role:prefix token`, one a line; what begins with # is passed over. Gives a
   * sentence about the first line that is neither, which does not repeat it.
   */
  static parse(text: string): Tokens | string {
    const known: KnownToken[] = [];
    for (const [index, line] of text.split(/\r?\n/).entries()) {
      const content = line.trim();
      if (content === "" || content.startsWith("#")) continue;
      const [, role, prefix = "", token] = /^(read|write|admin)(?::(\S+))?\s+(\S+)$/.exec(content) ?? [];
      if (role === undefined || token === undefined) {
        return `Line ${index + 1} is not \`role token\` or \`role:prefix token\`, role being read, write or admin.`;
      }
      known.push({ role: role as Role, prefix, digest: digestOf(token) });
    }
    if (known.length > limits.tokensMax) return `There are more than ${limits.tokensMax} tokens (tokensMax).`;
    if (known.length === 0) return "There is no token.";
    return new Tokens(known);
  }

  /** What `Basic <token>` or `Bearer <token>` allows; undefined if it is none of ours. */
  grantOf(authorization: string): Grant | undefined {
    const [, token] = /^(?:Basic|Bearer) +(\S+)$/i.exec(authorization) ?? [];
    if (token === undefined) return undefined;
    const digest = digestOf(token);
    let found: Grant | undefined;
    // All of them are compared, each in constant time: how long it takes tells nothing.
    for (const known of this.#known) if (timingSafeEqual(known.digest, digest)) found = known;
    return found;
  }
}

function digestOf(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}
