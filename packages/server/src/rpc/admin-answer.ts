import { HStreamError } from "../errors.js";

/** What an admin command answers: text of JSON in one of three forms. */
export type AdminAnswer =
  | { readonly type: "table"; readonly content: { readonly headers: string[]; readonly rows: string[][] } }
  | { readonly type: "plain"; readonly content: string }
  | { readonly type: "error"; readonly content: string };

export const done: AdminAnswer = { type: "plain", content: "OK" };

export function table(headers: string[], rows: string[][]): AdminAnswer {
  return { type: "table", content: { headers, rows } };
}

export function plain(content: string): AdminAnswer {
  return { type: "plain", content };
}

export function failure(content: string): AdminAnswer {
  return { type: "error", content };
}

export function timeText(ms: number): string {
  return new Date(ms).toISOString();
}

/** A refusal of what was asked is an answer too, in this call. */
export async function refusable(work: () => AdminAnswer | Promise<AdminAnswer>): Promise<AdminAnswer> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof HStreamError && error.kind !== "Internal") return failure(error.message);
    throw error;
  }
}
