import type { Control } from "./control-frame.js";
import { encodeControlPayload } from "./control-frame.js";
import { encodeBatch, encodeControl, frameHeaderBytes } from "./frame.js";
import type { FrameChunk, FrameMemory } from "./frame-memory.js";
import type { AppendResult, Batch, BatchId, Producer } from "./log-store.js";
import type { ProducerAppend } from "./producer-table.js";
import type { Shard } from "./shard.js";

/** An append that waits for its group to become durable. */
export interface PendingAppend {
  readonly shard: Shard;
  readonly batchId: BatchId;
  readonly timeMs: number;
  /** Of the frame: in the segment, and where it is in memory. */
  readonly offset: number;
  readonly length: number;
  readonly chunk: FrameChunk;
  readonly at: number;
  readonly producer: { readonly id: string; readonly append: ProducerAppend } | undefined;
  readonly resolve: (result: AppendResult) => void;
  readonly reject: (error: Error) => void;
}

/** A control that waits likewise. */
export interface PendingControl {
  readonly shard: Shard;
  readonly control: Control;
  /** Takes back what the control changed when it was asked for. */
  readonly undo: () => void;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** A part of a group that is in one chunk. */
interface Part {
  readonly chunk: FrameChunk;
  readonly from: number;
}

/** Frames that are written by one write and made durable by one sync. Encoded as they come. */
export class CommitGroup {
  readonly segmentNumber: number;
  readonly epoch: number;
  readonly position: number;
  readonly appends: PendingAppend[] = [];
  readonly controls: PendingControl[] = [];
  bytes = 0;
  readonly #memory: FrameMemory;
  readonly #parts: Part[] = [];

  constructor(segmentNumber: number, epoch: number, position: number, memory: FrameMemory) {
    this.segmentNumber = segmentNumber;
    this.epoch = epoch;
    this.position = position;
    this.#memory = memory;
  }

  get end(): number {
    return this.position + this.bytes;
  }

  /** Where the next frame, of so many bytes, will be in memory: at `used`. */
  chunkFor(frameBytes: number): FrameChunk {
    const chunk = this.#memory.chunkFor(frameBytes);
    if (this.#parts.at(-1)?.chunk !== chunk) {
      this.#parts.push({ chunk, from: chunk.used });
      chunk.groups++;
    }
    return chunk;
  }

  /** Adds an append, at the place that was asked for. */
  addBatch(append: PendingAppend, batch: Batch, previousId: BatchId, producer: Producer | undefined): void {
    const { shard, batchId, timeMs, offset, chunk, at } = append;
    const { position } = this;
    encodeBatch(chunk, at, offset, position, shard.id, batchId, previousId, timeMs, batch, producer);
    this.appends.push(append);
    this.#advance(chunk, append.length);
  }

  addControl(shard: Shard, control: Control, timeMs: number): void {
    const payload = encodeControlPayload(control);
    const chunk = this.chunkFor(frameHeaderBytes + payload.byteLength);
    const { end, position } = this;
    const { kind } = control;
    const length = encodeControl(chunk, chunk.used, end, position, kind, shard.id, timeMs, payload);
    this.#advance(chunk, length);
  }

  /** All of the group's bytes, in order. To be asked for once nothing more is added. */
  parts(): readonly Uint8Array[] {
    let left = this.bytes;
    return this.#parts.map(({ chunk, from }) => {
      const part = chunk.bytes.subarray(from, Math.min(chunk.used, from + left));
      left -= part.byteLength;
      return part;
    });
  }

  /** Lets go of the memory. Nothing of the group may be written after that. */
  release(): void {
    for (const { chunk } of this.#parts) chunk.groups--;
    this.#memory.trim();
  }

  #advance(chunk: FrameChunk, length: number): void {
    chunk.used += length;
    this.bytes += length;
  }
}

/** Length in bytes of a control's frame. */
export function controlFrameBytes(control: Control): number {
  return frameHeaderBytes + encodeControlPayload(control).byteLength;
}
