import { assert, must } from "@hstream/proto";

/** Who may own shards. The sets are changed by the assignment only. */
export interface ShardOwner<Shard> {
  readonly shards: Set<Shard>;
}

export interface OwnedShard<Owner> {
  owner: Owner | undefined;
}

/**
 * Gives each shard to one owner and keeps the owners' counts within one of each other. Owners stand
 * in buckets by their number of shards, so that the richest and the poorest are found at once.
 */
export class ShardAssignment<Owner extends ShardOwner<Shard>, Shard extends OwnedShard<Owner>> {
  readonly #byCount: Set<Owner>[] = [new Set()];
  readonly #unowned: Set<Shard>;
  readonly #onMove: (shard: Shard, from: Owner | undefined, to: Owner | undefined) => void;

  /** `onMove` hears of every change of an owner, after it was made. */
  constructor(
    shards: Iterable<Shard>,
    onMove: (shard: Shard, from: Owner | undefined, to: Owner | undefined) => void,
  ) {
    this.#unowned = new Set(shards);
    this.#onMove = onMove;
  }

  join(owner: Owner): void {
    assert(owner.shards.size === 0, "an owner joins without shards");
    this.#bucket(0).add(owner);
    for (const shard of this.#unowned) {
      this.#unowned.delete(shard);
      this.#move(shard, this.#poorest() ?? owner);
    }
    for (;;) {
      const richest = this.#richest();
      if (richest === undefined || richest.shards.size - owner.shards.size <= 1) return;
      const [shard] = richest.shards;
      this.#move(must(shard, "the richest has shards"), owner);
    }
  }

  leave(owner: Owner): void {
    this.#bucket(owner.shards.size).delete(owner);
    for (const shard of owner.shards) {
      const heir = this.#poorest();
      owner.shards.delete(shard);
      shard.owner = undefined;
      if (heir === undefined) this.#unowned.add(shard);
      else this.#give(shard, heir);
      this.#onMove(shard, owner, heir);
    }
  }

  #move(shard: Shard, to: Owner): void {
    const from = shard.owner;
    if (from !== undefined) this.#recount(from, () => from.shards.delete(shard));
    this.#give(shard, to);
    this.#onMove(shard, from, to);
  }

  #give(shard: Shard, to: Owner): void {
    this.#recount(to, () => to.shards.add(shard));
    shard.owner = to;
  }

  #recount(owner: Owner, change: () => void): void {
    this.#bucket(owner.shards.size).delete(owner);
    change();
    this.#bucket(owner.shards.size).add(owner);
  }

  #bucket(count: number): Set<Owner> {
    while (this.#byCount.length <= count) this.#byCount.push(new Set());
    return must(this.#byCount[count], "the bucket was just made");
  }

  #poorest(): Owner | undefined {
    for (const bucket of this.#byCount) for (const owner of bucket) return owner;
    return undefined;
  }

  #richest(): Owner | undefined {
    for (let count = this.#byCount.length - 1; count >= 0; count--) {
      for (const owner of must(this.#byCount[count], "inside the array")) return owner;
      // Empty ones at the end would be looked at again each time.
      if (count > 0) this.#byCount.pop();
    }
    return undefined;
  }
}
