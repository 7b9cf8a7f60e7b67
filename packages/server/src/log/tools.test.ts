import assert from "node:assert/strict";
import { SimulatedEnv, settle } from "../env/simulated-env.js";
import { wrapDisk } from "../env/wrap-disk.js";
import { backupLog, restoreLog } from "./backup.js";
import { appended, readTexts, rejectsWith, textBatch } from "./conformance.js";
import { EmbeddedLog } from "./embedded-log.js";
import { dumpLog, verifyLog } from "./inspect.js";
import { repairLog } from "./repair.js";

const directory = "/log";

async function started(env = new SimulatedEnv(), at = directory) {
  return { env, log: await EmbeddedLog.start(env, at, { segmentBytes: 3000 }) };
}

async function filled() {
  const { env, log } = await started();
  const texts = new Map<number, string[]>();
  for (const id of [1, 2, 3]) {
    await log.createShard(id);
    texts.set(id, []);
  }
  const fences = await Promise.all([1, 2, 3].map((id) => log.open(id)));
  const append = async (id: number, text: string) => {
    await appended(log.append(id, textBatch(text), { fence: fences[id - 1] ?? 0 }));
    texts.get(id)?.push(text);
  };
  for (let i = 0; i < 60; i++) await append(1 + (i % 3), `text ${i} `.padEnd(100, "."));
  return { env, log, texts, append };
}

function damage(env: SimulatedEnv, path: string, text: string): void {
  const bytes = env.disk.contents(path);
  const at = Buffer.from(bytes).indexOf(text);
  assert.ok(at >= 0);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  env.disk.overwrite(path, bytes);
}

describe("verify", () => {
  it("finds nothing in a healthy log, closed or crashed", async () => {
    const { env, log } = await filled();
    await log.tidied();
    env.disk.crash(env.random);
    const crashed = await verifyLog(env, directory);
    assert.deepEqual(crashed.findings, []);
    assert.equal(crashed.batches, 60);
    const { log: again } = await started(env);
    await again.close();
    assert.deepEqual((await verifyLog(env, directory)).findings, []);
  });

  it("says where a damage is, and refuses a log that a server has", async () => {
    const { env, log } = await filled();
    await rejectsWith("locked", () => verifyLog(env, directory));
    await rejectsWith("locked", () => repairLog(env, directory));
    await log.tidied();
    await log.close();
    const names = (await env.disk.list(directory)).filter((name) => name.endsWith(".segment"));
    const path = `${directory}/${names[0] ?? ""}`;
    damage(env, path, "text 3 ");
    const { findings } = await verifyLog(env, directory);
    assert.ok(findings.some((finding) => finding.path === path && finding.detail.includes("checksum")));
    await assert.rejects(verifyLog(env, "/nowhere"), { kind: "not-found" });
  });
});

describe("dump", () => {
  it("tells all frames, and damages among them", async () => {
    const { env, log } = await filled();
    await log.close();
    const kinds: string[] = [];
    for await (const { kind } of dumpLog(env, directory)) kinds.push(kind);
    assert.equal(kinds.filter((kind) => kind === "batch").length, 60);
    assert.ok(kinds.includes("create") && kinds.includes("open") && !kinds.includes("damage"));
  });
});

describe("repair", () => {
  it("saves what can be read, puts the damaged file aside, and the loss stays a gap", async () => {
    const { env, log, texts } = await filled();
    await log.tidied();
    await log.close();
    const names = (await env.disk.list(directory)).filter((name) => name.endsWith(".segment"));
    const path = `${directory}/${names[0] ?? ""}`;
    damage(env, path, "text 3 ");
    const repaired = await repairLog(env, directory);
    assert.deepEqual(
      repaired.map(({ keptAs }) => keptAs),
      [`${path}.damaged`],
    );
    assert.deepEqual(await repairLog(env, directory), []);
    const { log: again } = await started(env);
    assert.deepEqual(await readTexts(again, 2), texts.get(2));
    const { batches, gap, next } = await again.read(1, 0, { batchesMax: 100, bytesMax: 100_000 });
    assert.equal(batches.length, 1);
    assert.equal(gap, undefined);
    const rest = await again.read(1, next, { batchesMax: 100, bytesMax: 100_000 });
    assert.equal(rest.gap?.kind, "corrupt");
    assert.equal(rest.batches.length, 18);
  });
});

describe("a backup", () => {
  it("of a log that is being written is the log at one moment, and can be started", async () => {
    const { env, log, texts, append } = await filled();
    let done = false;
    const appending = (async () => {
      for (let i = 0; !done; i++) await append(1 + (i % 3), `more ${i}`);
    })();
    const { segments } = await backupLog(env, directory, "/backup");
    done = true;
    await appending;
    await log.close();
    assert.ok(segments > 2);
    const { findings } = await restoreLog(env, "/backup", "/restored");
    assert.ok(
      findings.every(({ detail }) => detail.includes("unfinished")),
      JSON.stringify(findings),
    );
    const { log: restored } = await started(env, "/restored");
    for (const [id, all] of texts) {
      const read = await readTexts(restored, id);
      assert.ok(read.length >= 20);
      assert.deepEqual(read, all.slice(0, read.length));
    }
    await assert.rejects(backupLog(env, directory, "/backup"), { kind: "not-empty" });
    await assert.rejects(restoreLog(env, "/backup", directory), { kind: "not-empty" });
    await assert.rejects(restoreLog(env, "/nowhere", "/other"), { kind: "not-found" });
  });

  it("on a full disk has nothing of what was refused before it was done", async () => {
    const env = new SimulatedEnv();
    const { disk } = env;
    const [copied, refused] = [gate(), gate()];
    const slowDisk = wrapDisk(disk, async (path, mode, use) => {
      const file = await disk.open(path, mode, use);
      const truncate = async (length: number) => {
        await copied.passed;
        await file.truncate(length);
      };
      return { ...file, truncate };
    });
    const log = await EmbeddedLog.start({ ...env, disk: slowDisk }, directory);
    await log.createShard(1);
    const fence = await log.open(1);
    await appended(log.append(1, textBatch("one"), { fence }));
    // The disk takes half of the group, and what it took is cut off once the backup has copied it.
    disk.faults = ({ name, path }) =>
      name === "write" && path.startsWith(directory) ? "no-space" : undefined;
    const results = Promise.all(
      ["refused", "refused too"].map((text) => log.append(1, textBatch(text), { fence })),
    );
    await settle();
    const watchedDisk = wrapDisk(disk, async (path, mode, use) => {
      const file = await disk.open(path, mode, use);
      if (mode !== "create") return file;
      const close = async () => {
        await file.close();
        copied.open();
        await refused.passed;
      };
      return { ...file, close };
    });
    const backup = backupLog({ ...env, disk: watchedDisk }, directory, "/backup");
    assert.deepEqual(
      (await results).map(({ kind }) => kind),
      ["full", "full"],
    );
    refused.open();
    await backup;
    await log.close();
    disk.faults = undefined;
    await restoreLog(env, "/backup", "/restored");
    const { log: restored } = await started(env, "/restored");
    assert.deepEqual(await readTexts(restored, 1), ["one"]);
    await restored.close();
  });
});

function gate(): { readonly passed: Promise<void>; open(): void } {
  let open = () => undefined as void;
  const passed = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { passed, open: () => open() };
}
