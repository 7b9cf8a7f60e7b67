/** One thing that Tab may put in. */
export interface Candidate {
  /** What replaces the word. */
  readonly text: string;
  readonly kind:
    | "keyword"
    | "stream"
    | "view"
    | "column"
    | "function"
    | "option"
    | "type"
    | "command"
    | "file";
  /** Shown beside it: a type, a signature. */
  readonly detail: string;
}

export interface Completion {
  /** The word that is replaced: from here to the cursor. */
  readonly start: number;
  readonly candidates: readonly Candidate[];
}

/** What all candidates begin with; at least as long as the word when they all continue it. */
export function commonStart({ candidates }: Completion): string {
  let common = candidates[0]?.text ?? "";
  for (const { text } of candidates) {
    let same = 0;
    while (same < common.length && common[same] === text[same]) same += 1;
    common = common.slice(0, same);
  }
  return common;
}
