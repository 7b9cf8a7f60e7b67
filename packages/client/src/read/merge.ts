/**
 * Several sources as one, in the order in which their items come. Each is asked for its next item once the
 * one before was taken. Fails with the first that fails. When the reader leaves, all sources are left; one
 * that is just waiting goes when it is woken, which is for whoever made it to see to.
 */
export async function* merge<T>(sources: readonly AsyncIterable<T>[]): AsyncGenerator<T, void, undefined> {
  const iterators = sources.map((source) => source[Symbol.asyncIterator]());
  const arrived: { readonly from: AsyncIterator<T>; readonly step: Promise<IteratorResult<T>> }[] = [];
  let wake: () => void = () => {};
  const ask = (from: AsyncIterator<T>) => {
    const step = from.next();
    const arrive = () => {
      arrived.push({ from, step });
      wake();
    };
    step.then(arrive, arrive);
  };
  try {
    for (const iterator of iterators) ask(iterator);
    for (let open = iterators.length; open > 0; ) {
      const next = arrived.shift();
      if (next === undefined) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
        continue;
      }
      const result = await next.step;
      if (result.done === true) {
        open -= 1;
        continue;
      }
      yield result.value;
      ask(next.from);
    }
  } finally {
    for (const iterator of iterators) void iterator.return?.();
  }
}
