/** The indented lines of EXPLAIN with the branches of a tree before them. */
export function planTree(text: string): readonly string[] {
  return text
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => {
      const depth = Math.floor((/^ */.exec(line)?.[0].length ?? 0) / 2);
      if (depth === 0) return line;
      return `${"   ".repeat(depth - 1)}└─ ${line.trim()}`;
    });
}
