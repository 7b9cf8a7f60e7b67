import { decodeFrame, type Frame, frameHeaderBytes } from "./frame.js";
import { limits } from "../limits.js";
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
    damages.push({ offset: at, detail: damaged(next, at, frame) });
    at = next;
  }
  return { frames, end: Math.min(at, content.byteLength), damages };
}

/** What is read of a large segment at a time. */
const pieceBytes = 4 * 1_048_576;

/**
 * As scanFrames of a segment that is not the newest, but read piece by piece: a merged one may be larger than memory
 * should be. What the pieces have is in order; `end` of the last is where the frames end.
 */
export async function* scanPieces(
  read: (offset: number, length: number) => Promise<Buffer>,
  fileBytes: number,
  pieceBytesMin = pieceBytes,
): AsyncGenerator<Scan> {
  let at = segmentHeaderBytes;
  let bytes = pieceBytesMin;
  let damage: { readonly offset: number; readonly detail: string } | undefined;
  while (at < fileBytes) {
    const asked = Math.min(bytes, fileBytes - at);
    const content = await read(at, asked);
    const isLast = content.byteLength < asked || at + asked === fileBytes;
    const frames: Frame[] = [];
    const damages: { offset: number; detail: string }[] = [];
    let used = 0;
    let isOver = content.byteLength === 0;
    bytes = pieceBytesMin;
    while (used < content.byteLength) {
      const offset = at + used;
      const frame = decodeFrame(content, used, offset);
      if (typeof frame !== "string") {
        if (damage !== undefined)
          damages.push({ ...damage, detail: damaged(offset, damage.offset, damage.detail) });
        damage = undefined;
        isOver = frame.kind === "seal";
        if (isOver) break;
        frames.push(frame);
        used += frame.length;
        continue;
      }
      const wanted = isLast ? 0 : bytesOfFrame(content, used, offset);
      if (wanted > content.byteLength - used && offset + wanted <= fileBytes) {
        bytes = Math.max(pieceBytesMin, wanted);
        break;
      }
      damage ??= { offset, detail: frame };
      const rest = isLast ? 0 : frameHeaderBytes - 1;
      used = nextPlace(content, used + 1, at) ?? Math.max(used + 1, content.byteLength - rest);
    }
    at += used;
    yield { frames, damages, end: damage?.offset ?? at };
    if (isOver) return;
  }
}

/** What the frame that seems to begin at `at` takes; 0 if none does. A header that is cut short: more than there is. */
function bytesOfFrame(content: Buffer, at: number, offset: number): number {
  if (content.byteLength - at < frameHeaderBytes) return frameHeaderBytes;
  const length = content.readUInt32LE(at);
  return content.readUInt32LE(at + 12) === offset && length <= limits.appendBytesInFlightMax ? length : 0;
}

/** The first place from `from` on where a frame may begin; undefined if there is none in the whole headers. */
function nextPlace(content: Buffer, from: number, base: number): number | undefined {
  for (let at = from; at <= content.byteLength - frameHeaderBytes; at++) {
    if (content.readUInt32LE(at + 12) === base + at) return at;
  }
  return undefined;
}

function damaged(next: number, from: number, reason: string): string {
  return `${next - from} bytes are damaged: ${reason}`;
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
