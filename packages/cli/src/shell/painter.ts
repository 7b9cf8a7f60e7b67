/** Turns a part of a text into what the terminal shows. */
export type Painter = (start: number, end: number) => string;

export const plainPainter =
  (text: string): Painter =>
  (start, end) =>
    text.slice(start, end);

/** The text in a style: SGR parameters. */
export function painted(style: string, text: string): string {
  return text === "" ? "" : `\u001b[${style}m${text}\u001b[0m`;
}
