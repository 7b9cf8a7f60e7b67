import { limits } from "../limits.js";

/** PEM texts; `ca` is empty when clients need no certificate. */
export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
}

/** The certificate to serve with, which may be renewed while the server runs. */
export interface TlsSource {
  readonly files: TlsFiles;
  /** Calls the listener whenever the files change; the function returned ends that. */
  onChange(listener: (files: TlsFiles) => void): () => void;
}

/** What new connections are made with. */
export function secureContextOf({ cert, key, ca }: TlsFiles) {
  return { cert, key, ...(ca === "" ? {} : { ca }), minVersion: "TLSv1.2" } as const;
}

/** What an HTTPS server is made with: as over gRPC, clients must show a certificate if there is a `ca`. */
export function tlsOptionsOf(files: TlsFiles) {
  const needsClient = files.ca !== "";
  return {
    ...secureContextOf(files),
    requestCert: needsClient,
    rejectUnauthorized: needsClient,
    handshakeTimeout: limits.httpHeadersMs,
  };
}
