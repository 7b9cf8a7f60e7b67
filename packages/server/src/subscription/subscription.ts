import { z } from "zod";
import type { MetaCodec } from "../meta/table.js";

/** What the metadata store keeps of a subscription. Its progress is kept per shard, beside it. */
const document = z.object({
  version: z.literal(1),
  /** The name that users know. */
  id: z.string(),
  /** Never used again, unlike the name. */
  uid: z.string(),
  streamName: z.string(),
  streamId: z.string(),
  ackTimeoutSeconds: z.number(),
  maxUnackedRecords: z.number(),
  offset: z.enum(["earliest", "latest"]),
  creationTimeMs: z.number(),
  /** Absent: what the first consumer asks for, else the server's default. */
  dispatch: z.enum(["key-ordered", "round-robin"]).optional(),
  /** After so many deliveries records go to the dead-letter stream. Both are there, or none. */
  deliveriesMax: z.number().optional(),
  deadLetterStream: z.string().optional(),
  /** Under which the progress is kept, once it was moved; before that, the uid. */
  progressId: z.string().optional(),
  /** Where it began, fixed at creation or when it was moved: in each shard, the batch after which its records come. */
  start: z.array(z.tuple([z.number(), z.number()])),
});

export type SubscriptionDocument = Readonly<z.infer<typeof document>>;

export function progressIdOf({ uid, progressId }: SubscriptionDocument): string {
  return progressId ?? uid;
}

export const subscriptionCodec: MetaCodec<SubscriptionDocument> = { parse: (json) => document.parse(json) };
