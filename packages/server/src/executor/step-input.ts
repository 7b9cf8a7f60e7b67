import type { DivertedCounts } from "./decode/diverted.js";
import type { ErrorSummary } from "./error-log.js";

/** A stored batch, as the log has it. */
export interface RecordBatchInput {
  readonly shardId: number;
  readonly batchId: number;
  readonly timeMs: number;
  readonly recordCount: number;
  /** CompressionType of the API: 0 none, 1 gzip, 2 zstd. */
  readonly compression: number;
  readonly payload: Uint8Array;
}

/** Input for one source of a plan, by its index. */
export type StepInput =
  | {
      readonly kind: "records";
      readonly source: number;
      readonly batches: readonly RecordBatchInput[];
      /** The shard of all the batches; left out: that of the first. */
      readonly shard?: number;
    }
  /** Encoded RowBatch messages. `replace`: these are all rows of a view, and what was given before is void. */
  | {
      readonly kind: "rows";
      readonly source: number;
      readonly batches: readonly Uint8Array[];
      readonly replace?: boolean;
    }
  /** The shards that exist. One that has given nothing holds the watermark back until it is idle. */
  | { readonly kind: "shards"; readonly source: number; readonly shards: readonly number[] }
  /** No record of the shard with a time before timeMs will come. */
  | { readonly kind: "watermark"; readonly source: number; readonly shard: number; readonly timeMs: number }
  /**
   * The shard does not hold the watermark back until its next record. When all shards are idle, time goes on
   * without records: `elapsedMs` says how long ago the shard's last one came.
   */
  | { readonly kind: "idle"; readonly source: number; readonly shard: number; readonly elapsedMs: number };

/** What came of a step, or of several put together. */
export interface StepReport {
  /** Encoded RowBatch messages, each below resultBatchBytesMax. */
  readonly output: readonly Uint8Array[];
  /** Records and rows that went in: processed + diverted. */
  readonly rowsIn: number;
  /** Rows in `output`, or changes of the materialised view. */
  readonly rowsOut: number;
  readonly diverted: number;
  readonly divertedBy: DivertedCounts;
  readonly errors: ErrorSummary;
  /** An estimate, in bytes. */
  readonly stateBytes: number;
  /** The answer is complete: a limit is reached, or the end was. Nothing more need be fed, nor the end. */
  readonly finished: boolean;
}
