/**
 * Bugs to be planted in the compiled log and metadata, one at a time: `find`, which must be in the file
 * exactly once, is replaced by `by`. White space in `find` stands for any.
 *
 * @typedef {object} Mutation
 * @property {string} name What the bug is.
 * @property {string} file Below packages/server/dist, without its ending.
 * @property {string} find
 * @property {string} by
 */

/** @type {Mutation[]} */
export const mutations = [
  {
    name: "a commit is not synced",
    file: "log/committer",
    find: 'const use = this.#options.fsync === "always" ? "durable-commits" : "commits";',
    by: 'const use = "commits";',
  },
  {
    name: "an append is acknowledged while its sync is under way",
    file: "log/committer",
    find: "await writing;",
    by: "writing.catch(() => undefined);",
  },
  {
    name: "after a failed sync the log goes on",
    file: "log/committer",
    find: 'this.#failure ??= new LogError("failed", "The disk refused a write or a sync of the log.", error);',
    by: 'const failure = new LogError("failed", "mutated", error); this.#listener.failed([group, ...this.#groups.splice(0)], failure); return;',
  },
  {
    name: "what a full disk took of a refused write stays in the file",
    file: "log/segment-writer",
    find: "await this.#file.truncate(this.segment.end); await this.#file.datasync();",
    by: "",
  },
  {
    name: "a damage in the newest segment passes for a torn tail, and all behind it is dropped",
    file: "log/scan",
    find: "const next = findFrame(content, at + 1, newest ? at : -1);",
    by: "const next = newest ? undefined : findFrame(content, at + 1, -1);",
  },
  {
    name: "a start drops the newest frame",
    file: "log/scan",
    find: "return { frames, end: Math.min(at, content.byteLength), damages };",
    by: "if (newest) at = frames.pop()?.offset ?? at; return { frames, end: Math.min(at, content.byteLength), damages };",
  },
  {
    name: "ids are used again after a restart",
    file: "log/embedded-log",
    find: "notices, epoch + 1,",
    by: "notices, Math.max(1, epoch),",
  },
  {
    name: "a frame's checksum is ignored",
    file: "log/frame",
    find: "if (crc32(body, length) !== bytes.readUInt32LE(at + 4))",
    by: "if (crc32(body, length) === -1)",
  },
  {
    name: "the checksum of a footer's directory and state is ignored",
    file: "log/segment-files",
    find: "checksumOf(bytes) === place.checksum ?",
    by: "checksumOf(bytes) >= 0 ?",
  },
  {
    name: "the checksum of a footer's index is ignored",
    file: "log/segment-files",
    find: "|| checksumOf(bytes) !== extent.indexChecksum",
    by: "",
  },
  {
    name: "the name of a new segment is not synced",
    file: "log/segment-writer",
    find: "await disk.syncDirectory(dirname(path));",
    by: "",
  },
  {
    name: "a start trusts the last group of a crashed log without writing it again",
    file: "log/segment-writer",
    find: "await file.write([group], lastGroup);",
    by: "",
  },
  {
    name: "a rewritten segment takes the place of others before it is synced",
    file: "log/sorted-writer",
    find: "await this.#file.datasync();",
    by: "",
  },
  {
    name: "a rewrite loses the first batch of every shard",
    file: "log/rewriter",
    find: "for (let at = first; at !== undefined; at = batches.next(at)) {",
    by: "for (let at = batches.next(first); at !== undefined; at = batches.next(at)) {",
  },
  {
    name: "a merge takes the newest batches of a shard first",
    file: "log/merger",
    find: "cursor.frame.shardId < found.frame.shardId",
    by: "cursor.frame.shardId <= found.frame.shardId",
  },
  {
    name: "a read ignores the checksum of a batch",
    file: "log/frame",
    find: "if (crc32(new Uint8Array(buffer, base + 8, length - 8), length) !== view.getUint32(at + 4, true))",
    by: "if (length < 0)",
  },
  {
    name: "a missing segment is passed over in silence",
    file: "log/reader",
    find: "if (extent.firstId <= first || extent.previousId < first) return undefined;",
    by: "if (extent.firstId >= 0) return undefined;",
  },
  {
    name: "whoever was fenced off may append",
    file: "log/appender",
    find: "if (options.fence !== shard.fence)",
    by: "if (options.fence > shard.fence)",
  },
  {
    name: "a conditional append looks at the durable tail only",
    file: "log/appender",
    find: "if (expectTail !== undefined && expectTail !== shard.newest)",
    by: "if (expectTail !== undefined && expectTail !== shard.tail)",
  },
  {
    name: "a repeat of an append that is not durable is answered at once",
    file: "log/appender",
    find: "if (append.durable) return",
    by: "if (append.batchId > 0) return",
  },
  {
    name: "the table of producers is not kept over a restart",
    file: "log/log-state",
    find: "shard.producers?.durableStates() ?? []",
    by: "[]",
  },
  {
    name: "append times follow a clock that goes back",
    file: "log/appender",
    find: "Math.max(this.#clock.now(), shard.newestTimeMs)",
    by: "this.#clock.now()",
  },
  {
    name: "a trim passes a hold",
    file: "log/embedded-log",
    find: "if (from <= last)",
    by: "if (from < 0)",
  },
  {
    name: "appends in flight are not bounded",
    file: "log/appender",
    find: "this.#bytesInFlight + bytes <= this.#options.appendBytesInFlightMax",
    by: "this.#bytesInFlight >= 0",
  },
  {
    name: "a backup keeps what the log has cut off since",
    file: "log/backup",
    find: "!(await isPrefix(disk, to, from, size))",
    by: "size < 0",
  },
  {
    name: "a lost change of the metadata is passed over",
    file: "meta/replay",
    find: "if (mayLack && lost.upTo > snapshotUpTo)",
    by: "if (mayLack && lost.upTo < 0)",
  },
  {
    name: "the checksum of a snapshot of the metadata is ignored",
    file: "meta/meta-frame",
    find: "if (bodyChecksum(entries, leases, snapshot.part) !== snapshot.checksum)",
    by: "if (bodyChecksum(entries, leases, snapshot.part) < 0)",
  },
];
