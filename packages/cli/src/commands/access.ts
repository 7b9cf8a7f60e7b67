import type { ConnectOptions, TlsOptions } from "@hstream/client";
import { exitCodes } from "../exit-codes.js";
import { CommandError } from "../failure.js";
import type { System } from "../system/system.js";

/** How a server is trusted and told who we are, as flags say it. */
export interface Access {
  readonly tls: boolean;
  readonly tlsCa: string | undefined;
  readonly tlsCert: string | undefined;
  readonly tlsKey: string | undefined;
  readonly tlsServerName: string | undefined;
  readonly token: string | undefined;
}

/** The URL with the scheme that the flags ask for, and what the client needs beside it. */
export async function connectWith(
  system: System,
  url: string,
  access: Access,
): Promise<{ readonly url: string; readonly options: ConnectOptions }> {
  const { tlsCa, tlsCert, tlsKey, tlsServerName, token } = access;
  if ((tlsCert === undefined) !== (tlsKey === undefined)) {
    throw usage("--tls-cert and --tls-key go together.", "Give both, or neither.");
  }
  const tls: TlsOptions = {
    ...(tlsCa === undefined ? {} : { ca: await pem(system, "--tls-ca", tlsCa) }),
    ...(tlsCert === undefined ? {} : { cert: await pem(system, "--tls-cert", tlsCert) }),
    ...(tlsKey === undefined ? {} : { key: await pem(system, "--tls-key", tlsKey) }),
    ...(tlsServerName === undefined ? {} : { serverName: tlsServerName }),
  };
  const named = /^hstreams:\/\//i.test(url);
  const secure = named || access.tls || Object.keys(tls).length > 0;
  if (token !== undefined && !/^[\x21-\x7e]+$/.test(token)) {
    throw usage("The token has characters that no token has: blanks, line ends, or others than ASCII.");
  }
  return {
    url: secure && !named ? `hstreams://${url.replace(/^hstream:\/\//i, "")}` : url,
    options: { ...(secure ? { tls } : {}), ...(token === undefined ? {} : { token }) },
  };
}

async function pem(system: System, flag: string, path: string): Promise<string> {
  let text: string;
  try {
    text = await system.files.read(path);
  } catch (error) {
    throw usage(`${flag}: cannot read ${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (text.includes("-----BEGIN ")) return text;
  throw usage(`${flag}: ${path} is not a PEM file.`);
}

function usage(message: string, hint?: string): CommandError {
  return new CommandError({ exitCode: exitCodes.usage, message, hint });
}
