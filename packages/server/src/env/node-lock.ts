import { randomBytes } from "node:crypto";
import * as fs from "node:fs/promises";
import { join } from "node:path";
import type { DirectoryLock } from "./env.js";

/**
 * The lock of a directory: a file `lock-<n>` that names the process that has it. It is stale when
 * that process is gone. A stale lock n is never removed first but outnumbered by linking n + 1, which
 * exactly one of several starters can do; the winner then clears the stale ones away. A starter that
 * was slow may still link a number that had been cleared, so each looks again after linking and gives
 * way to any other live one.
 */
export async function lockDirectory(directory: string, holder: string): Promise<DirectoryLock> {
  const { startTicks, boot } = await identify(process.pid);
  const self: Owner = { pid: process.pid, startTicks, boot, holder };
  const draft = join(directory, `lock-draft-${process.pid}-${randomBytes(6).toString("hex")}`);
  await fs.writeFile(draft, JSON.stringify(self), { mode: 0o600, flag: "wx" });
  try {
    for (;;) {
      const highest = (await lockNumbers(directory)).at(-1) ?? 0;
      const rival = await liveOwner(directory, highest);
      if (rival !== undefined) return { kind: "held", by: describe(rival) };
      const mine = highest + 1;
      try {
        await fs.link(draft, lockPath(directory, mine));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "EEXIST") continue;
        throw error;
      }
      // Whoever linked before this look is seen now; whoever links after it sees this lock.
      const others = (await lockNumbers(directory)).filter((number) => number !== mine);
      const owners = await Promise.all(others.map((number) => liveOwner(directory, number)));
      if (owners.some((owner) => owner !== undefined)) {
        await fs.rm(lockPath(directory, mine), { force: true });
        continue;
      }
      for (const stale of others) await fs.rm(lockPath(directory, stale), { force: true });
      return { kind: "locked", release: () => fs.rm(lockPath(directory, mine), { force: true }) };
    }
  } finally {
    await fs.rm(draft, { force: true });
  }
}

interface Owner extends Identity {
  readonly pid: number;
  readonly holder: string;
}

/** What tells a process from a later one with the same number. Empty where there is no /proc. */
interface Identity {
  readonly startTicks: string;
  readonly boot: string;
}

interface Observed extends Identity {
  /** Killed, and not yet taken note of by its parent: it holds nothing any more. */
  readonly ended: boolean;
}

async function identify(pid: number): Promise<Observed> {
  try {
    const stat = await fs.readFile(`/proc/${pid}/stat`, "utf8");
    // The fields after the command's name, which is in parentheses; the start time is field 22.
    const [state = "", ...fields] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const startTicks = fields[18] ?? "";
    const boot = (await fs.readFile("/proc/sys/kernel/random/boot_id", "utf8")).trim();
    return { startTicks, boot, ended: state === "Z" || state === "X" };
  } catch {
    return { startTicks: "", boot: "", ended: false };
  }
}

async function liveOwner(directory: string, number: number): Promise<Owner | undefined> {
  if (number === 0) return undefined;
  let owner: Owner;
  try {
    owner = JSON.parse(await fs.readFile(lockPath(directory, number), "utf8")) as Owner;
  } catch (error) {
    // Released since, or not ours: locks are linked whole, so a broken one names nobody.
    if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  if (!Number.isSafeInteger(owner.pid) || owner.pid <= 0 || !runs(owner.pid)) return undefined;
  const now = await identify(owner.pid);
  if (now.ended) return undefined;
  const comparable = now.startTicks !== "" && owner.startTicks !== "";
  if (comparable && (now.startTicks !== owner.startTicks || now.boot !== owner.boot)) return undefined;
  return owner;
}

function runs(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

const lockPath = (directory: string, number: number) => join(directory, `lock-${number}`);

const describe = (owner: Owner) => `process ${owner.pid} (${owner.holder})`;

async function lockNumbers(directory: string): Promise<number[]> {
  const numbers: number[] = [];
  for (const name of await fs.readdir(directory)) {
    const match = /^lock-(\d{1,15})$/.exec(name);
    if (match !== null) numbers.push(Number(match[1]));
  }
  return numbers.sort((a, b) => a - b);
}
