import { HStreamError } from "../errors.js";
import type { Authorize } from "./route.js";

/** What a token allows, for names that begin with the prefix (empty: for all). */
export interface Grant {
  readonly role: "read" | "write" | "admin";
  readonly prefix: string;
}

const ranks = { any: 0, read: 1, write: 2, admin: 3 } as const;

/** The rules of gRPC for REST: `grantOf` knows what an `authorization` header allows, if anything. */
export function authorizeBy(grantOf: (authorization: string) => Grant | undefined): Authorize {
  return ({ authorization, need, call }) => {
    // Of two headers, servers before this one may have looked at the other.
    const [only, second] = authorization;
    const grant = only === undefined || second !== undefined ? undefined : grantOf(only);
    if (grant === undefined) throw new HStreamError("Unauthenticated", {});
    const { role, prefix } = grant;
    if (ranks[role] < ranks[need]) {
      throw new HStreamError("PermissionDenied", { call, needs: `the role ${need}` });
    }
    return (names) => {
      if (prefix === "" || need === "any") return;
      if (names.length > 0 && names.every((name) => name.startsWith(prefix))) return;
      throw new HStreamError("PermissionDenied", { call, needs: `names that begin with ${prefix}` });
    };
  };
}
