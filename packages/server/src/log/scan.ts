import { decodeFrame, type Frame, frameHeaderBytes } from "./frame.js";
import { segmentHeaderBytes } from "./segment.js";

export interface Scan {
  readonly frames: readonly Frame[];
  /** Where the frames end: at the footer, at an unfinished write, or at the end of the file. */
  readonly end: number;
  readonly damages: readonly { readonly offset: number; readonly detail: string }[];
}

/**
 * All frames of a segment from an offset on. What is broken is a torn write if the log was writing here last (`newest`)
 * and no frame of a later group follows: a later group is only written once the earlier is durable.
 * Everything else that is broken is a damage; the frames after it count.
 */
export function scanFrames(content: Buffer, newest: boolean, from = segmentHeaderBytes): Scan {
  const frames: Frame[] = [];
  const damages: { offset: number; detail: string }[] = [];
  let at = from;
  while (at < content.byteLength) {
    const frame = decodeFrame(content, at, at);
    if (typeof frame !== "string") {
      if (frame.kind === "seal") break;
      frames.push(frame);
      at += frame.length;
      continue;
    }
    const next = findFrame(content, at + 1, newest ? at : -1);
    if (next === undefined) break;
    damages.push({ offset: at, detail: `${next - at} bytes are damaged: ${frame}` });
    at = next;
  }
  return { frames, end: Math.min(at, content.byteLength), damages };
}

/** Offset of the first intact frame from `from` on if some intact frame's group begins after `group`. */
function findFrame(content: Buffer, from: number, group: number): number | undefined {
  let first: number | undefined;
  for (let at = from; at <= content.byteLength - frameHeaderBytes; at++) {
    // Cheap tests first: nearly every place fails the one of the offset.
    if (content.readUInt32LE(at + 12) !== at) continue;
    const frame = decodeFrame(content, at, at);
    if (typeof frame === "string") continue;
    first ??= at;
    if (frame.groupOffset > group) return first;
    at += frame.length - 1;
  }
  return undefined;
}
