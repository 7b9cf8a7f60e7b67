export { assert, AssertionFailure, must, unreachable } from "./assert.js";
