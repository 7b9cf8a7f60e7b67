/**
 * Assertions guard the laws of this system, never a user's input, and stay on in production.
 * Everything else that can go wrong has an error of its own.
 */

/** Thrown when one of our own laws is broken: a defect, never the fault of a caller outside. */
export class AssertionFailure extends Error {
  override readonly name = "AssertionFailure";
}

/** Throws AssertionFailure unless `condition` holds. `message` says which law was broken. */
export function assert(condition: boolean, message: string | (() => string)): asserts condition {
  if (!condition) throw new AssertionFailure(typeof message === "string" ? message : message());
}

/** The value, which by one of our laws is present. */
export function must<T>(value: T | null | undefined, message: string | (() => string)): T {
  assert(value !== null && value !== undefined, message);
  return value;
}

/** Closes a switch over a union: fails to compile while a case is missing. */
export function unreachable(value: never): never {
  throw new AssertionFailure(`unexpected case: ${JSON.stringify(value)}`);
}
