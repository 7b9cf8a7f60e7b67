import { HStreamClientError } from "./errors.js";
import { limits } from "./limits.js";

/** Where a server listens. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** What a URL of a cluster says. */
export interface ServiceUrl {
  /** Whether the servers are spoken to over TLS. */
  readonly secure: boolean;
  /** At least one. */
  readonly addresses: readonly Address[];
}

/** `host:port`, with brackets around an IPv6 host. */
export function formatAddress({ host, port }: Address): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/**
 * Reads `hstream://host[:port][,host[:port]]…`, or `hstreams://` for TLS; the port is 6570 unless given.
 * Throws HStreamClientError (reason "usage") for anything else.
 */
export function parseServiceUrl(url: string): ServiceUrl {
  const scheme = /^([a-z]+):\/\//i.exec(url);
  const name = scheme?.[1]?.toLowerCase();
  if (scheme !== null && name !== "hstream" && name !== "hstreams") {
    throw usage(`"${url}" starts neither with hstream:// nor, for TLS, with hstreams://.`);
  }
  const rest = url.slice(scheme?.[0].length ?? 0).replace(/\/+$/, "");
  return {
    secure: name === "hstreams",
    addresses: rest.split(",").map((part) => parseAddress(part.trim(), url)),
  };
}

function parseAddress(text: string, url: string): Address {
  const match = /^(?:\[([0-9a-f:.%]+)\]|([^\s:/[\]@]+))(?::(\d{1,5}))?$/i.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = match?.[3] === undefined ? limits.defaultPort : Number(match[3]);
  if (host === undefined || port < 1 || port > 65_535) {
    throw usage(`"${text}" in "${url}" is not host:port.`);
  }
  return { host, port };
}

function usage(message: string): HStreamClientError {
  return new HStreamClientError({ reason: "usage", message, hint: "Write hstream://127.0.0.1:6570" });
}
