import { runCommandLine } from "./run-command-line.js";
import {
  describeDefects,
  endProcess,
  endQuietlyOnBrokenPipe,
  processSystem,
} from "./system/process-system.js";

describeDefects();
endQuietlyOnBrokenPipe();
await endProcess(await runCommandLine(processSystem()));
