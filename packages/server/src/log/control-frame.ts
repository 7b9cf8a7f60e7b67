import { unreachable } from "@hstream/proto";
import { ByteReader, ByteWriter } from "./byte-cursor.js";
import type { Frame } from "./frame.js";
import type { BatchId, Fence } from "./log-store.js";

/** A change of a shard that is no batch. */
export type Control =
  | { readonly kind: "create" }
  | { readonly kind: "delete" }
  | { readonly kind: "open"; readonly fence: Fence }
  | { readonly kind: "trim"; readonly upTo: BatchId }
  | { readonly kind: "hold"; readonly name: string; readonly from: BatchId }
  | { readonly kind: "release"; readonly name: string }
  | { readonly kind: "forget"; readonly name: string };

/*
 * Payloads of control frames:
 *   create, delete  (none)
 *   open            f64 fence
 *   trim            f64 up to
 *   hold            f64 from, text name (u32 length, UTF-8)
 *   release         text name
 *   forget          text name of the producer
 */
export function encodeControlPayload(control: Control): Uint8Array {
  const writer = new ByteWriter();
  switch (control.kind) {
    case "create":
    case "delete":
      break;
    case "open":
      writer.float64(control.fence);
      break;
    case "trim":
      writer.float64(control.upTo);
      break;
    case "hold":
      writer.float64(control.from);
      writer.text(control.name);
      break;
    case "release":
    case "forget":
      writer.text(control.name);
      break;
    default:
      return unreachable(control);
  }
  return writer.finish();
}

/** The control in a frame; undefined for batches and seals. */
export function decodeControl(frame: Frame): Control | undefined {
  const reader = new ByteReader(frame.payload);
  switch (frame.kind) {
    case "batch":
    case "seal":
      return undefined;
    case "create":
    case "delete":
      return { kind: frame.kind };
    case "open":
      return { kind: "open", fence: reader.float64() };
    case "trim":
      return { kind: "trim", upTo: reader.float64() };
    case "hold": {
      const from = reader.float64();
      return { kind: "hold", name: reader.text(), from };
    }
    case "release":
    case "forget":
      return { kind: frame.kind, name: reader.text() };
    default:
      return unreachable(frame.kind);
  }
}
