import type { Metadata } from "@grpc/grpc-js";
import { HStreamError } from "../errors.js";
import type { DispatchPolicy } from "../subscription/subscription-action.js";

interface CallFacts {
  readonly metadata: Metadata;
  getPeer(): string;
}

/** Where a caller is: what a proxy says of it, else its own address. */
export function uriOf(call: CallFacts): string {
  return textOf(call.metadata, "x-forwarded-for") ?? call.getPeer();
}

/** What a caller is: what a proxy says of it, else what it says itself. */
export function userAgentOf(call: CallFacts): string {
  return textOf(call.metadata, "proxy-agent") ?? textOf(call.metadata, "user-agent") ?? "";
}

/** The dispatch policy that a caller asks for in `hstream-dispatch`; undefined if it does not. */
export function dispatchOf(metadata: Metadata): DispatchPolicy | undefined {
  const asked = textOf(metadata, "hstream-dispatch");
  if (asked === undefined || asked === "key-ordered" || asked === "round-robin") return asked;
  const reason = `hstream-dispatch is "${asked}"; it must be key-ordered or round-robin.`;
  throw new HStreamError("InvalidSubscriptionOption", { reason });
}

function textOf(metadata: Metadata, key: string): string | undefined {
  const [value] = metadata.get(key);
  return value === undefined ? undefined : String(value);
}
