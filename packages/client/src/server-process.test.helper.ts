/** A server as a process: its settings come as JSON, its port goes to the parent. */
import { type Flags, serve } from "./real-server.test.helper.js";

const server = await serve(JSON.parse(process.argv[2] ?? "{}") as Flags);
process.send?.(server.port);
// Without its parent it is good for nothing.
process.once("disconnect", () => process.exit());
