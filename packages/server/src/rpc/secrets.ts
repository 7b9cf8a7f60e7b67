import { createPrivateKey, X509Certificate } from "node:crypto";
import type { experimental, ServerCredentials } from "@grpc/grpc-js";
import grpc from "@grpc/grpc-js";
import type { Config } from "../config/settings.js";
import type { Disk, Timer, Timers } from "../env/env.js";
import { limits } from "../limits.js";
import { Tokens } from "./tokens.js";

type CertificateProvider = experimental.CertificateProvider;
type IdentityListener = experimental.IdentityCertificateUpdateListener;
type CaListener = experimental.CaCertificateUpdateListener;

/** Texts of the files; empty for one that is not configured. */
export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
}

interface Files extends TlsFiles {
  readonly tokens: string;
}

/** The files of certificates and tokens cannot be used, and why. Their contents are never told. */
export class SecretsError extends Error {
  override readonly name = "SecretsError";
}

/**
 * The certificates and tokens of the server, from their files, which are looked at again now and then:
 * new connections get the new certificate, later calls are checked against the new tokens. What cannot
 * be read leaves the present ones in place.
 */
export class Secrets {
  readonly #disk: Disk;
  readonly #timers: Timers;
  readonly #config: Config;
  readonly #report: (problem: string) => void;
  #files: Files;
  #tokens: Tokens | undefined;
  #timer: Timer | undefined;
  readonly #identityListeners = new Set<IdentityListener>();
  readonly #caListeners = new Set<CaListener>();
  readonly #tlsListeners = new Set<(files: TlsFiles) => void>();

  private constructor(tools: SecretsTools, config: Config, files: Files, tokens: Tokens | undefined) {
    this.#disk = tools.disk;
    this.#timers = tools.timers;
    this.#report = tools.report;
    this.#config = config;
    this.#files = files;
    this.#tokens = tokens;
    if (this.hasTls || this.hasTokens) this.#lookLater();
  }

  /** Reads the files that the configuration names. Rejects with SecretsError. */
  static async load(tools: SecretsTools, config: Config): Promise<Secrets> {
    if ((config.tlsCert === "") !== (config.tlsKey === "")) {
      throw new SecretsError("tls.cert and tls.key belong together: give both, or none.");
    }
    if (config.tlsCa !== "" && config.tlsCert === "") {
      throw new SecretsError("tls.ca asks for certificates of clients; it needs tls.cert and tls.key.");
    }
    const files = await readFiles(tools.disk, config);
    return new Secrets(tools, config, files, tokensIn(files));
  }

  get hasTls(): boolean {
    return this.#files.cert !== "";
  }

  get hasTokens(): boolean {
    return this.#tokens !== undefined;
  }

  /** The tokens as they are at the moment; only where there are any. */
  get tokens(): Tokens {
    if (this.#tokens === undefined) throw new SecretsError("This server has no tokens.");
    return this.#tokens;
  }

  /** What gRPC listens with. */
  credentials(): ServerCredentials {
    if (!this.hasTls) return grpc.ServerCredentials.createInsecure();
    const provider: CertificateProvider = {
      addIdentityCertificateListener: (listener) => {
        this.#identityListeners.add(listener);
        // Not at once: what the library makes of it is heard only by those who listen by then.
        queueMicrotask(() => listener(identityOf(this.#files)));
      },
      removeIdentityCertificateListener: (listener) => void this.#identityListeners.delete(listener),
      addCaCertificateListener: (listener) => {
        this.#caListeners.add(listener);
        queueMicrotask(() => listener({ caCertificate: Buffer.from(this.#files.ca) }));
      },
      removeCaCertificateListener: (listener) => void this.#caListeners.delete(listener),
    };
    const needsClient = this.#files.ca !== "";
    // The library's declaration has the first two the other way round, and the second one always there.
    const make = grpc.experimental.createCertificateProviderServerCredentials as (
      identity: CertificateProvider,
      ca: CertificateProvider | null,
      requireClientCertificate: boolean,
    ) => ServerCredentials;
    return make(provider, needsClient ? provider : null, needsClient);
  }

  /** What other servers of ours listen with; only where there is TLS. */
  get tls() {
    const { cert, key, ca } = this.#files;
    return {
      files: { cert, key, ca },
      onChange: (listener: (files: TlsFiles) => void) => {
        this.#tlsListeners.add(listener);
        return () => void this.#tlsListeners.delete(listener);
      },
    };
  }

  /** Reads the files again. Never rejects: what is wrong is reported, and all stays as it was. */
  async reload(): Promise<void> {
    try {
      const files = await readFiles(this.#disk, this.#config);
      const tokens = tokensIn(files);
      const before = this.#files;
      this.#files = files;
      this.#tokens = tokens;
      if (files.cert !== before.cert || files.key !== before.key) {
        for (const listener of this.#identityListeners) listener(identityOf(files));
      }
      if (files.ca !== before.ca) {
        for (const listener of this.#caListeners) listener({ caCertificate: Buffer.from(files.ca) });
      }
      if (files.cert !== before.cert || files.key !== before.key || files.ca !== before.ca) {
        for (const listener of this.#tlsListeners) listener(files);
      }
    } catch (error) {
      this.#report(error instanceof Error ? error.message : String(error));
    }
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #lookLater(): void {
    this.#timer = this.#timers.after(limits.secretsCheckMs, () => {
      void this.reload().then(() => {
        if (this.#timer !== undefined) this.#lookLater();
      });
    });
  }
}

export interface SecretsTools {
  readonly disk: Disk;
  readonly timers: Timers;
  readonly report: (problem: string) => void;
}

async function readFiles(disk: Disk, config: Config): Promise<Files> {
  const read = async (path: string) => {
    if (path === "") return "";
    try {
      return await disk.readText(path);
    } catch (error) {
      throw new SecretsError(`${path} cannot be read: ${String(error)}`, { cause: error });
    }
  };
  const [cert, key, ca, tokens] = await Promise.all(
    [config.tlsCert, config.tlsKey, config.tlsCa, config.tokensFile].map(read),
  );
  const files = { cert: cert ?? "", key: key ?? "", ca: ca ?? "", tokens: tokens ?? "" };
  checkPem("tls.cert", config.tlsCert, files.cert);
  checkPem("tls.key", config.tlsKey, files.key);
  checkPem("tls.ca", config.tlsCa, files.ca);
  checkCertificates(files);
  if (config.tokensFile !== "" && tokensIn(files) === undefined) {
    throw new SecretsError(`${config.tokensFile} has no tokens.`);
  }
  return files;
}

function checkPem(setting: string, path: string, text: string): void {
  if (path === "" || /-----BEGIN [A-Z ]+-----/.test(text)) return;
  throw new SecretsError(`${path} (${setting}) is not in PEM form.`);
}

/** Refuses here what would only be noticed when somebody connects. */
function checkCertificates({ cert, key, ca }: TlsFiles): void {
  if (ca !== "") readable("tls.ca", () => new X509Certificate(ca));
  if (cert === "") return;
  const certificate = readable("tls.cert", () => new X509Certificate(cert));
  const privateKey = readable("tls.key", () => createPrivateKey(key));
  if (!certificate.checkPrivateKey(privateKey)) {
    throw new SecretsError("tls.key is not the key of the certificate in tls.cert.");
  }
}

function readable<T>(setting: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    // What the library says may quote the file.
    throw new SecretsError(`${setting} cannot be used: it is damaged, or locked with a passphrase.`, {
      cause: error,
    });
  }
}

/** Undefined if there are none to read. Throws SecretsError. */
function tokensIn({ tokens }: Files): Tokens | undefined {
  if (tokens === "") return undefined;
  const parsed = Tokens.parse(tokens);
  if (typeof parsed === "string") throw new SecretsError(`The file of tokens cannot be used. ${parsed}`);
  return parsed;
}

function identityOf({ cert, key }: Files) {
  return { certificate: Buffer.from(cert), privateKey: Buffer.from(key) };
}
