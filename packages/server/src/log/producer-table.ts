import { limits } from "../limits.js";
import type { BatchId, Producer, Sequence } from "./log-store.js";

/** What became of an append that was recorded before. */
export interface ProducerAppend {
  readonly sequence: Sequence;
  readonly batchId: BatchId;
  readonly timeMs: number;
  durable: boolean;
}

export type ProducerVerdict =
  | { readonly kind: "new" }
  /** Recorded before, and durable if `append.durable`. */
  | { readonly kind: "repeat"; readonly append: ProducerAppend }
  | { readonly kind: "duplicate" }
  | { readonly kind: "sequence-gap"; readonly expected: Sequence };

export interface ProducerState {
  readonly id: string;
  readonly mode: Producer["mode"];
  /** The newest appends, oldest first; never empty. */
  readonly appends: readonly ProducerAppend[];
}

/**
 * Recognises repeats within one shard. Every producer's newest durable appends are kept, and all
 * that are not durable yet. A contiguous producer begins with step 1.
 */
export class ProducerTable {
  readonly #producers = new Map<string, { mode: Producer["mode"]; appends: ProducerAppend[] }>();

  knows(producerId: string): boolean {
    return this.#producers.has(producerId);
  }

  judge(producer: Producer): ProducerVerdict {
    const known = this.#producers.get(producer.id)?.appends;
    const last = known?.at(-1);
    const order = last === undefined ? 1 : compareSequences(producer.sequence, last.sequence);
    if (known !== undefined && order <= 0) {
      const append = known.findLast((kept) => compareSequences(kept.sequence, producer.sequence) === 0);
      return append === undefined ? { kind: "duplicate" } : { kind: "repeat", append };
    }
    if (producer.mode === "contiguous") {
      const expected = { step: (last?.sequence.step ?? 0) + 1, chunk: 0 };
      if (compareSequences(producer.sequence, expected) !== 0) return { kind: "sequence-gap", expected };
    }
    return { kind: "new" };
  }

  /** Notes an append that was judged new; it is not durable yet. */
  record(producer: Producer, batchId: BatchId, timeMs: number): ProducerAppend {
    const append = { sequence: producer.sequence, batchId, timeMs, durable: false };
    const known = this.#producers.get(producer.id);
    if (known === undefined) {
      this.#producers.set(producer.id, { mode: producer.mode, appends: [append] });
    } else {
      known.mode = producer.mode;
      known.appends.push(append);
    }
    return append;
  }

  /** The append has become durable. Forgets results beyond those that are kept. */
  settle(producerId: string, append: ProducerAppend): void {
    append.durable = true;
    const appends = this.#producers.get(producerId)?.appends;
    while (appends?.[limits.producerResultsKept]?.durable === true) appends.shift();
  }

  /** Takes back an append that was not carried out. */
  revoke(producerId: string, append: ProducerAppend): void {
    const known = this.#producers.get(producerId);
    if (known === undefined) return;
    known.appends = known.appends.filter((kept) => kept !== append);
    if (known.appends.length === 0) this.#producers.delete(producerId);
  }

  /** Forgets a producer, all but its appends that are not durable yet. */
  forget(producerId: string): void {
    const known = this.#producers.get(producerId);
    if (known === undefined) return;
    known.appends = known.appends.filter(({ durable }) => !durable);
    if (known.appends.length === 0) this.#producers.delete(producerId);
  }

  /** Forgets producers that are not monotone and whose last append is older than `timeMs`. */
  expire(timeMs: number): void {
    for (const [id, { mode, appends }] of this.#producers) {
      const last = appends.at(-1);
      if (mode !== "monotone" && last?.durable === true && last.timeMs < timeMs) this.#producers.delete(id);
    }
  }

  /** What is durable, to be stored. */
  durableStates(): ProducerState[] {
    const states: ProducerState[] = [];
    for (const [id, { mode, appends }] of this.#producers) {
      const durable = appends.filter((append) => append.durable).slice(-limits.producerResultsKept);
      if (durable.length > 0) states.push({ id, mode, appends: durable });
    }
    return states;
  }

  restore(state: ProducerState): void {
    this.#producers.set(state.id, { mode: state.mode, appends: [...state.appends] });
  }
}

/** By step, then chunk: negative, 0 or positive. */
export function compareSequences(a: Sequence, b: Sequence): number {
  return a.step - b.step || a.chunk - b.chunk;
}
