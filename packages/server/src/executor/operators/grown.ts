/** The array with room for `count` numbers. */
export function grown(array: Float64Array<ArrayBuffer>, count: number): Float64Array<ArrayBuffer> {
  if (count <= array.length) return array;
  const larger = new Float64Array(Math.max(count, array.length * 2));
  larger.set(array);
  return larger;
}

/** Likewise; new places hold `empty`. */
export function grownInt32(
  array: Int32Array<ArrayBuffer>,
  count: number,
  empty = 0,
): Int32Array<ArrayBuffer> {
  if (count <= array.length) return array;
  const larger = new Int32Array(Math.max(count, array.length * 2, 16));
  larger.set(array);
  if (empty !== 0) larger.fill(empty, array.length);
  return larger;
}
