/**
 * SQL's LIKE in O(text × pattern) at worst: the pattern is cut at %, and the leftmost place of each piece
 * is the best one, so nothing is ever tried twice.
 */
export function likeMatches(
  text: string,
  pattern: string,
  escape: string,
  caseInsensitive: boolean,
): boolean {
  const chars = [...(caseInsensitive ? text.toLowerCase() : text)];
  const pieces = likePieces(caseInsensitive ? pattern.toLowerCase() : pattern, escape);
  const [first = [], ...rest] = pieces;
  if (!pieceAt(chars, 0, first)) return false;
  let at = first.length;
  const last = rest.pop();
  if (last === undefined) return at === chars.length;
  for (const piece of rest) {
    while (at + piece.length <= chars.length && !pieceAt(chars, at, piece)) at += 1;
    at += piece.length;
    if (at > chars.length) return false;
  }
  return chars.length - last.length >= at && pieceAt(chars, chars.length - last.length, last);
}

/** One character, or null for any. */
type Piece = readonly (string | null)[];

function likePieces(pattern: string, escape: string): Piece[] {
  const pieces: (string | null)[][] = [[]];
  const chars = [...pattern];
  for (let i = 0; i < chars.length; i++) {
    const char = chars[i] ?? "";
    const piece = pieces.at(-1);
    if (char === escape && i + 1 < chars.length) piece?.push(chars[++i] ?? "");
    else if (char === "%") pieces.push([]);
    else piece?.push(char === "_" ? null : char);
  }
  return pieces;
}

function pieceAt(chars: readonly string[], at: number, piece: Piece): boolean {
  return (
    at + piece.length <= chars.length && piece.every((char, i) => char === null || char === chars[at + i])
  );
}
