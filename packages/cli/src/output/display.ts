import stringWidth from "string-width";

/** Terminal cells that the text takes; quick where it is plain ASCII. */
export function displayWidth(text: string): number {
  return isPlain(text) ? text.length : stringWidth(text);
}

/** The text with control characters made visible, so that data cannot steer the terminal. */
export function visible(text: string): string {
  if (isPlain(text)) return text;
  return text.replace(controls, (character) => {
    const named = names.get(character);
    if (named !== undefined) return named;
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}

/** At most `width` cells, with an ellipsis where something is missing. */
export function truncate(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  if (width <= 0) return "";
  let taken = 0;
  let out = "";
  for (const { segment } of graphemes.segment(text)) {
    const cells = displayWidth(segment);
    if (taken + cells > width - 1) break;
    taken += cells;
    out += segment;
  }
  return `${out}…`;
}

/** The text with blanks up to `width` cells, at its end or, for numbers, before it. */
export function pad(text: string, width: number, right: boolean): string {
  const blanks = " ".repeat(Math.max(0, width - displayWidth(text)));
  return right ? blanks + text : text + blanks;
}

/** The text in lines of at most `width` cells, broken between words; lines that fit stay as they are. */
export function wrapWords(text: string, width: number): string {
  return text
    .split("\n")
    .flatMap((line) => {
      if (displayWidth(line) <= width) return [line];
      const indent = /^ */.exec(line)?.[0] ?? "";
      const lines: string[] = [];
      let current = "";
      for (const word of line.slice(indent.length).split(" ")) {
        const longer = current === "" ? indent + word : `${current} ${word}`;
        if (current === "" || displayWidth(longer) <= width) current = longer;
        else {
          lines.push(current);
          current = indent + word;
        }
      }
      return [...lines, current];
    })
    .join("\n");
}

const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" });
const controls = /[\u0000-\u001f\u007f-\u009f\u200b\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;
const names = new Map([
  ["\n", "\\n"],
  ["\r", "\\r"],
  ["\t", "\\t"],
]);

function isPlain(text: string): boolean {
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (code < 0x20 || code > 0x7e) return false;
  }
  return true;
}
