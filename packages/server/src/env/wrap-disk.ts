import type { Disk } from "./env.js";

/** For tests: a disk that opens files in another way. */
export function wrapDisk(disk: Disk, open: Disk["open"]): Disk {
  return {
    open,
    makeDirectory: (path) => disk.makeDirectory(path),
    list: (directory) => disk.list(directory),
    exists: (path) => disk.exists(path),
    rename: (from, to) => disk.rename(from, to),
    remove: (path) => disk.remove(path),
    syncDirectory: (path) => disk.syncDirectory(path),
    readText: (path) => disk.readText(path),
    lock: (directory, holder) => disk.lock(directory, holder),
  };
}
