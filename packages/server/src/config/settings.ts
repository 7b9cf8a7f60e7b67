import { z } from "zod";
import { limits } from "../limits.js";
import { parseAddress } from "./address.js";

/** One thing that can be configured. */
export interface Setting<T> {
  /** Its name in files and flags; dots are levels of the file. */
  readonly key: string;
  readonly schema: z.ZodType<T>;
  readonly default: T;
  /** What it may be, for messages: "a whole number from 0 to 65535". */
  readonly expected: string;
  /** One sentence, for the manual and --help. */
  readonly help: string;
  /** How a text (flag, environment) is read before the schema checks it. */
  readonly fromText: (text: string) => unknown;
}

function text(key: string, fallback: string, help: string): Setting<string> {
  const schema = z.string().min(1);
  return { key, schema, default: fallback, expected: "a text", help, fromText: (value) => value };
}

/** An empty text stands for "not set", and cannot be given. */
function address(key: string, help: string): Setting<string> {
  const schema = z.string().refine((value) => parseAddress(value) !== undefined);
  return { key, schema, default: "", expected: "host or host:port", help, fromText: (value) => value };
}

function wholeNumber(
  key: string,
  [min, max]: [number, number],
  fallback: number,
  help: string,
): Setting<number> {
  const expected = `a whole number from ${min} to ${max}`;
  const schema = z.number().int().min(min).max(max);
  const fromText = (value: string) => (/^-?\d{1,15}$/.test(value.trim()) ? Number(value) : value);
  return { key, schema, default: fallback, expected, help, fromText };
}

/** "auto" depends on another setting. */
function portOrAuto(key: string, help: string): Setting<number | "auto"> {
  const schema = z.union([z.literal("auto"), z.number().int().min(0).max(65_535)]);
  const expected = "a whole number from 0 to 65535, or auto";
  const fromText = (value: string) => (/^\d{1,5}$/.test(value.trim()) ? Number(value) : value);
  return { key, schema, default: "auto", expected, help, fromText };
}

function choice<const T extends string>(
  key: string,
  of: readonly T[],
  fallback: NoInfer<T>,
  help: string,
): Setting<T> {
  const expected = `one of ${of.join(", ")}`;
  return { key, schema: z.enum(of), default: fallback, expected, help, fromText: (value) => value };
}

/** An empty text stands for "not set". */
function file(key: string, help: string): Setting<string> {
  const schema = z.string();
  return { key, schema, default: "", expected: "the path of a file", help, fromText: (value) => value };
}

function yesOrNo(key: string, fallback: boolean, help: string): Setting<boolean> {
  const fromText = (value: string) => (value === "true" ? true : value === "false" ? false : value);
  return { key, schema: z.boolean(), default: fallback, expected: "true or false", help, fromText };
}

/** All settings of the server: parsing, names in the environment, messages and docs come from here. */
export const settings = {
  dataDir: text("data-dir", "hstream-data", "Directory of the data; made if it is missing."),
  host: text(
    "host",
    "127.0.0.1",
    "Address to listen on; other machines reach the server only on another one.",
  ),
  port: wholeNumber("port", [0, 65_535], 6_570, "Port of the gRPC services; 0 takes any free one."),
  httpPort: portOrAuto(
    "http-port",
    "Port of REST, metrics and health checks; 0 for none, auto for the one ten above the port of gRPC.",
  ),
  advertisedAddress: address(
    "advertised-address",
    "What clients are told to connect to; by default what the server listens on.",
  ),
  maxRecordSize: wholeNumber(
    "max-record-size",
    [1, limits.responseBytesMax - 64 * 1_024],
    limits.recordBytesMax,
    "Largest batch of records that one append may carry, in bytes.",
  ),
  fsync: choice(
    "fsync",
    ["always", "interval", "never"],
    "always",
    "When appends are synced to the disk: before they are acknowledged, every now and then, or never.",
  ),
  defaultDispatch: choice(
    "subscriptions.default-dispatch",
    ["key-ordered", "round-robin"],
    "key-ordered",
    "How records are shared among the consumers of a subscription that does not say itself.",
  ),
  tlsCert: file("tls.cert", "Certificate of the server, PEM; with it and its key all connections are TLS."),
  tlsKey: file("tls.key", "Private key of the certificate, PEM."),
  tlsCa: file("tls.ca", "Certificates, PEM, one of which must have signed a client's own."),
  tokensFile: file(
    "tokens-file",
    "Who may call: lines of `role token` or `role:prefix token`, role being read, write or admin.",
  ),
  allowInsecure: yesOrNo(
    "allow-insecure",
    false,
    "Whether all addresses may be listened on (host 0.0.0.0 or ::) without TLS and tokens.",
  ),
  logFormat: choice(
    "log-format",
    ["auto", "json", "text"],
    "auto",
    "How the server's messages are written; auto is text on a terminal, and JSON lines elsewhere.",
  ),
  logLevel: choice("log-level", ["error", "warn", "info", "debug"], "info", "How much the server says."),
} as const;

export type SettingName = keyof typeof settings;

/** The server's configuration, checked and complete. */
export type Config = {
  readonly [Name in SettingName]: (typeof settings)[Name] extends Setting<infer T> ? T : never;
};

/** The environment variable of a setting: HSTREAM_MAX_RECORD_SIZE. */
export function environmentName(key: string): string {
  return `HSTREAM_${key.toUpperCase().replaceAll(/[.-]/g, "_")}`;
}
