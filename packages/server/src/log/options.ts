import { limits } from "../limits.js";

/**
 * When appends are synced to the disk. `always`: before they are acknowledged; they survive everything but
 * the loss of the disk. `interval`: within fsyncIntervalMs; a power failure may cost what is younger than
 * that. `never`: when a segment is full or the log closed; otherwise the system decides. With all of them
 * what was acknowledged survives the end of the process, and what a power failure has left is read in
 * order, with gaps that are told.
 */
export type FsyncPolicy = "always" | "interval" | "never";

/** Something that the log found and has to work around. */
export interface LogNotice {
  readonly path: string;
  readonly offset: number;
  readonly detail: string;
}

export interface EmbeddedLogOptions {
  /** Who holds the directory, for the message that a second process gets. */
  readonly holder: string;
  /** Told of what is found after the start. */
  readonly onNotice: (notice: LogNotice) => void;
  readonly fsync: FsyncPolicy;
  readonly fsyncIntervalMs: number;
  /** Kept free for trims and deletions on a full disk; 0 for none. */
  readonly reserveBytes: number;
  readonly segmentBytes: number;
  readonly groupCommitBytesMax: number;
  readonly appendBytesInFlightMax: number;
  readonly appendBytesWaitingMax: number;
  readonly tailCacheBytesMax: number;
  readonly indexCacheBytesMax: number;
  readonly openSegmentsMax: number;
}

export const defaultOptions: EmbeddedLogOptions = {
  holder: "hstream",
  onNotice: () => undefined,
  fsync: "always",
  fsyncIntervalMs: limits.fsyncIntervalMs,
  reserveBytes: limits.logReserveBytes,
  segmentBytes: limits.segmentBytes,
  groupCommitBytesMax: limits.groupCommitBytesMax,
  appendBytesInFlightMax: limits.appendBytesInFlightMax,
  appendBytesWaitingMax: limits.appendBytesWaitingMax,
  tailCacheBytesMax: limits.tailCacheBytesMax,
  indexCacheBytesMax: limits.segmentIndexCacheBytesMax,
  openSegmentsMax: limits.openSegmentsMax,
};
