import { HStreamError } from "../errors.js";
import { parseAddress } from "../config/address.js";

const loopback = new Set(["127.0.0.1", "::1", "localhost"]);
const address = /^[\d.]+$|:/;

/**
 * Keeps web pages of others from using a browser's way to this server. A page's script says in Origin
 * where it comes from, which must be the server itself. A name that was made to point at this machine
 * (DNS rebinding) stands in Host: while the server listens on this machine alone, only its own names and
 * addresses may. Throws ForeignOrigin.
 */
export function refuseForeign(
  headers: { readonly host?: string | undefined; readonly origin?: string | undefined },
  listensOn: string,
  knownAs: readonly string[],
): void {
  const host = headers.host === undefined ? undefined : parseAddress(headers.host)?.host.toLowerCase();
  if (loopback.has(listensOn) && headers.host !== undefined) {
    const own = host !== undefined && (loopback.has(host) || address.test(host) || knownAs.includes(host));
    if (!own) throw new HStreamError("ForeignOrigin", { reason: "The Host header names another server." });
  }
  if (headers.origin === undefined) return;
  if (originHost(headers.origin) !== headers.host?.toLowerCase()) {
    throw new HStreamError("ForeignOrigin", { reason: "The request comes from a page of another server." });
  }
}

function originHost(origin: string): string | undefined {
  try {
    return new URL(origin).host;
  } catch {
    return undefined;
  }
}
