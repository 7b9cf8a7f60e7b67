import { limits } from "../limits.js";

export interface EmbeddedLogOptions {
  /** Who holds the directory, for the message that a second process gets. */
  readonly holder: string;
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
  segmentBytes: limits.segmentBytes,
  groupCommitBytesMax: limits.groupCommitBytesMax,
  appendBytesInFlightMax: limits.appendBytesInFlightMax,
  appendBytesWaitingMax: limits.appendBytesWaitingMax,
  tailCacheBytesMax: limits.tailCacheBytesMax,
  indexCacheBytesMax: limits.segmentIndexCacheBytesMax,
  openSegmentsMax: limits.openSegmentsMax,
};
