import { HStreamClientError } from "./errors.js";
import { limits } from "./limits.js";

/** Where a server listens. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** `host:port`, with brackets around an IPv6 host. */
export function formatAddress({ host, port }: Address): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/**
 * The servers named by `hstream://host[:port][,host[:port]]…`; the port is 6570 unless given.
 * Throws HStreamClientError (reason "usage") for anything else.
 */
export function parseServiceUrl(url: string): readonly Address[] {
  const scheme = /^([a-z]+):\/\//i.exec(url);
  const name = scheme?.[1]?.toLowerCase();
  if (name === "hstreams") throw usage(`TLS is not available yet, so "${url}" cannot be used.`);
  if (scheme !== null && name !== "hstream") throw usage(`"${url}" does not start with hstream://.`);
  const rest = url.slice(scheme?.[0].length ?? 0).replace(/\/+$/, "");
  return rest.split(",").map((part) => parseAddress(part.trim(), url));
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
