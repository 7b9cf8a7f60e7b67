import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { constants, existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, readlink, realpath, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { DiskError, type DiskErrorKind } from "./env.js";
import { diskErrorKind } from "./node-disk.js";
import { createNodeEnv } from "./node-env.js";

const { disk, timers, clock, random } = createNodeEnv();
const lockHolder = fileURLToPath(new URL("./lock-holder.js", import.meta.url));

async function failsWith(kind: DiskErrorKind, work: Promise<unknown>): Promise<void> {
  await assert.rejects(work, (error) => error instanceof DiskError && error.kind === kind);
}

describe("the real disk", () => {
  let directory: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "hstream-env-"));
  });

  afterEach(() => rm(directory, { recursive: true }));

  it("lets nobody but its owner read what it makes", async () => {
    await disk.makeDirectory(join(directory, "data"));
    const file = await disk.open(join(directory, "data", "file"), "create");
    await file.close();
    assert.equal((await stat(join(directory, "data"))).mode & 0o777, 0o700);
    assert.equal((await stat(join(directory, "data", "file"))).mode & 0o777, 0o600);
  });

  it("writes any number of buffers at a position and reads them back", async () => {
    const path = join(directory, "file");
    const file = await disk.open(path, "create");
    const buffers = Array.from({ length: 3000 }, (_, i) => Buffer.from(`${i},`));
    await file.write(buffers, 5);
    await file.datasync();
    const expected = Buffer.concat(buffers);
    assert.equal(await file.size(), 5 + expected.byteLength);
    const bytes = Buffer.alloc(expected.byteLength + 10);
    assert.equal(await file.read(bytes, 5), expected.byteLength);
    assert.ok(bytes.subarray(0, expected.byteLength).equals(expected));
    await file.truncate(7);
    assert.equal(await file.read(bytes, 0), 7);
    assert.equal(await file.read(bytes, 100), 0);
    await file.close();
  });

  it("makes, lists, renames and removes names", async () => {
    const inner = join(directory, "a", "b");
    await disk.makeDirectory(inner);
    await disk.makeDirectory(inner);
    for (const name of ["two", "one"]) await (await disk.open(join(inner, name), "create")).close();
    await disk.rename(join(inner, "two"), join(inner, "zwei"));
    await disk.syncDirectory(inner);
    assert.deepEqual(await disk.list(inner), ["one", "zwei"]);
    assert.deepEqual(await disk.list(directory), []);
    assert.equal(await disk.exists(join(inner, "zwei")), true);
    await disk.remove(join(inner, "zwei"));
    assert.equal(await disk.exists(join(inner, "zwei")), false);
    await writeFile(join(inner, "text"), "héllo");
    assert.equal(await disk.readText(join(inner, "text")), "héllo");
  });

  it("names the kind of a failure", async () => {
    const path = join(directory, "file");
    await (await disk.open(path, "create")).close();
    await failsWith("exists", disk.open(path, "create"));
    await failsWith("not-found", disk.open(join(directory, "none"), "write"));
    await failsWith("not-found", disk.list(join(directory, "none")));
    await failsWith("not-found", disk.remove(join(directory, "none")));
    await failsWith("io", disk.readText(directory));
    const kinds = ["ENOSPC", "EDQUOT", "EFBIG", "EROFS", "EPERM", "EACCES", "EMFILE", "ENFILE", "EIO"].map(
      (code) => diskErrorKind(Object.assign(new Error(code), { code })),
    );
    const expected = ["no-space", "no-space", "no-space", "denied", "denied", "denied"];
    assert.deepEqual(kinds, [...expected, "too-many-files", "too-many-files", "io"]);
  });

  it("locks a directory until it is released, and says who has it", async () => {
    const first = await disk.lock(directory, "the first");
    assert.equal(first.kind, "locked");
    const second = await disk.lock(directory, "the second");
    assert.deepEqual(second, { kind: "held", by: `process ${process.pid} (the first)` });
    if (first.kind === "locked") await first.release();
    const third = await disk.lock(directory, "the third");
    assert.equal(third.kind, "locked");
    assert.equal((await disk.list(directory)).length, 1);
  });

  it("gives a lock to exactly one of many who want it at once", async () => {
    for (const left of [undefined, { pid: 2 ** 22 + 1, startTicks: "1", boot: "none", holder: "gone" }]) {
      if (left !== undefined) await writeFile(join(directory, "lock-7"), JSON.stringify(left));
      const locks = await Promise.all(Array.from({ length: 20 }, (_, i) => disk.lock(directory, `${i}`)));
      const [winner, ...others] = locks.filter(({ kind }) => kind === "locked");
      assert.ok(winner?.kind === "locked" && others.length === 0);
      await winner.release();
    }
  });

  it("takes over the lock of a process that is gone, or whose number another has now", async () => {
    const child = spawn(process.execPath, [lockHolder, directory], { stdio: ["ignore", "pipe", "inherit"] });
    const [held] = (await once(child.stdout, "data")) as [Buffer];
    assert.equal(String(held), "locked\n");
    assert.equal((await disk.lock(directory, "me")).kind, "held");
    child.kill("SIGKILL");
    await once(child, "exit");
    const mine = await disk.lock(directory, "me");
    assert.ok(mine.kind === "locked");
    await mine.release();
    const reused = { pid: process.pid, startTicks: "1", boot: "another", holder: "before" };
    await writeFile(join(directory, "lock-3"), JSON.stringify(reused));
    assert.equal((await disk.lock(directory, "me")).kind, "locked");
  });
});

describe("the real disk, where there is /proc", () => {
  it("opens files of durable commits so that every write is synced", async function () {
    if (!existsSync("/proc/self/fdinfo")) return this.skip();
    const directory = await mkdtemp(join(tmpdir(), "hstream-env-"));
    for (const use of ["commits", "durable-commits"] as const) {
      const file = await disk.open(join(directory, use), "create", use);
      const fds = await readdir("/proc/self/fd");
      const targets = await Promise.all(fds.map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => "")));
      const fd = fds[targets.indexOf(await realpath(file.path))] ?? "";
      const info = await readFile(`/proc/self/fdinfo/${fd}`, "utf8");
      const flags = Number.parseInt(/^flags:\s*([0-7]+)$/m.exec(info)?.[1] ?? "", 8);
      assert.equal((flags & constants.O_DSYNC) !== 0, use === "durable-commits");
      await file.close();
    }
    await rm(directory, { recursive: true });
  });

  it("takes over the lock of a process that was killed and whose parent has not noticed", async function () {
    if (!existsSync("/proc/self/stat")) return this.skip();
    const directory = await mkdtemp(join(tmpdir(), "hstream-env-"));
    // The shell becomes a process that never asks after its child.
    const script = `"${process.execPath}" "${lockHolder}" "${directory}" & echo $!; exec sleep 600`;
    const parent = spawn("sh", ["-c", script], { stdio: ["ignore", "pipe", "inherit"] });
    try {
      let printed = "";
      for await (const text of parent.stdout.setEncoding("utf8") as AsyncIterable<string>) {
        printed += text;
        if (printed.endsWith("locked\n")) break;
      }
      const pid = Number.parseInt(printed, 10);
      process.kill(pid, "SIGKILL");
      while (!/\) Z /.test(await readFile(`/proc/${pid}/stat`, "utf8"))) await new Promise(setImmediate);
      assert.equal((await disk.lock(directory, "me")).kind, "locked");
    } finally {
      parent.kill("SIGKILL");
      await rm(directory, { recursive: true });
    }
  });
});

describe("the real clock, timers and random numbers", () => {
  it("are those of this machine", async () => {
    const before = clock.monotonic();
    await timers.sleep(5);
    assert.ok(clock.monotonic() - before >= 4);
    assert.ok(Math.abs(clock.now() - Date.now()) < 1000);
    const numbers = new Set(Array.from({ length: 50 }, () => random.uint32()));
    assert.ok(numbers.size > 40 && [...numbers].every((n) => Number.isInteger(n) && n >= 0 && n < 2 ** 32));
    assert.equal(random.bytes(7).byteLength, 7);
  });

  it("let a timer be cancelled and a sleep be aborted", async () => {
    let called = false;
    timers.after(0, () => (called = true)).cancel();
    const abort = new AbortController();
    const sleeping = timers.sleep(60_000, abort.signal);
    abort.abort(new Error("enough"));
    await assert.rejects(sleeping, /enough/);
    await assert.rejects(timers.sleep(1, abort.signal), /enough/);
    await timers.sleep(5);
    assert.equal(called, false);
  });
});
