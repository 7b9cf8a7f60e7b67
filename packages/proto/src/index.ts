export { assert, AssertionFailure, must, unreachable } from "./assert.js";
export { Empty } from "./generated/google/protobuf/empty.js";
export { Struct } from "./generated/google/protobuf/struct.js";
export { Timestamp } from "./generated/google/protobuf/timestamp.js";
export * from "./generated/hstream.js";
export * from "./generated/hstream_ext.js";
