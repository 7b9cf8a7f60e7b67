/** More rows than any terminal has. */
const manyRows = 100_000;

/**
 * The terminal as Ink may see it: without its height. Ink clears the screen and the scrollback when what it
 * drew before is not lower than the terminal is now, which a smaller window makes true at any time. What we
 * draw fits by itself.
 */
export function withoutHeight(stream: NodeJS.WriteStream): NodeJS.WriteStream {
  return new Proxy(stream, {
    get: (target, property) => {
      if (property === "rows") return manyRows;
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
