import type { Control } from "./control-frame.js";
import { encodeControlPayload } from "./control-frame.js";
import { encodeBatch, encodeControl, type FrameBuffer, frameBuffer, frameHeaderBytes } from "./frame.js";
import type { AppendResult, BatchId, Producer, StoredBatch } from "./log-store.js";
import type { ProducerAppend } from "./producer-table.js";
import type { Shard } from "./shard.js";

/** Payloads below this are copied into the group's buffer: cheaper than one more buffer to write. */
const inlineBytesMax = 4096;
/** Room for what may go beyond the limit of a group: one header, producer id and small payload. */
const slackBytes = 8192;

/** An append that waits for its group to become durable. */
export interface PendingAppend {
  readonly shard: Shard;
  readonly batch: StoredBatch;
  readonly offset: number;
  readonly length: number;
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

/** Frames that are written by one write and made durable by one sync. Encoded as they come. */
export class CommitGroup {
  readonly segmentNumber: number;
  readonly epoch: number;
  readonly position: number;
  readonly appends: PendingAppend[] = [];
  readonly controls: PendingControl[] = [];
  bytes = 0;
  readonly #buffer: FrameBuffer;
  readonly #parts: Uint8Array[] = [];
  #used = 0;
  #cutFrom = 0;

  constructor(segmentNumber: number, epoch: number, position: number, buffer: FrameBuffer) {
    this.segmentNumber = segmentNumber;
    this.epoch = epoch;
    this.position = position;
    this.#buffer = buffer;
  }

  get end(): number {
    return this.position + this.bytes;
  }

  addBatch(batch: StoredBatch, previousId: BatchId, producer: Producer | undefined): void {
    const inline = batch.payload.byteLength < inlineBytesMax;
    const at = this.#used;
    const used = encodeBatch(this.#buffer, at, this.end, this.position, batch, previousId, producer, inline);
    this.#used += used;
    this.bytes += used;
    if (inline) return;
    this.#cut();
    this.#parts.push(batch.payload);
    this.bytes += batch.payload.byteLength;
  }

  addControl(shard: Shard, control: Control, timeMs: number): void {
    const payload = encodeControlPayload(control);
    const at = this.#used;
    const { end, position } = this;
    const length = encodeControl(this.#buffer, at, end, position, control.kind, shard.id, timeMs, payload);
    this.#used += length;
    this.bytes += length;
  }

  /** All of the group's bytes, in order. */
  parts(): readonly Uint8Array[] {
    this.#cut();
    return this.#parts;
  }

  /** Gives the buffer to the pool. Nothing of the group may be written after that. */
  recycle(pool: BufferPool): void {
    pool.give(this.#buffer);
  }

  #cut(): void {
    if (this.#cutFrom < this.#used) this.#parts.push(this.#buffer.bytes.subarray(this.#cutFrom, this.#used));
    this.#cutFrom = this.#used;
  }
}

/** Length in bytes of a control's frame. */
export function controlFrameBytes(control: Control): number {
  return frameHeaderBytes + encodeControlPayload(control).byteLength;
}

/** Buffers of groups, used again and again. */
export class BufferPool {
  readonly #size: number;
  readonly #keepMax: number;
  readonly #free: FrameBuffer[] = [];

  constructor(groupBytesMax: number, keepMax: number) {
    this.#size = groupBytesMax + slackBytes;
    this.#keepMax = keepMax;
  }

  take(): FrameBuffer {
    return this.#free.pop() ?? frameBuffer(this.#size);
  }

  give(buffer: FrameBuffer): void {
    if (this.#free.length < this.#keepMax) this.#free.push(buffer);
  }
}
