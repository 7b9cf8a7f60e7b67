import { nodeDisk } from "./node-disk.js";

/** A process of its own for tests: takes the lock of the directory it is given, says so, and stays. */
const lock = await nodeDisk.lock(process.argv[2] ?? "", "the child");
console.log(lock.kind);
setInterval(() => undefined, 1000);
