import { z } from "zod";
import type { Env } from "../env/env.js";
import type { MetaStore } from "../meta/meta-store.js";

const key = "node/self";
const document = z.object({ version: z.literal(1), id: z.number().int() });

/** This node's id, 1 … 2^31 − 1: drawn at the first start and kept. */
export async function loadNodeId(env: Env, meta: MetaStore): Promise<number> {
  const entry = await meta.get(key);
  if (entry !== undefined) return document.parse(JSON.parse(entry.value)).id;
  const id = 1 + (env.random.uint32() % (2 ** 31 - 1));
  await meta.put(key, JSON.stringify({ version: 1, id }));
  return id;
}
