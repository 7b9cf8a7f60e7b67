import { inputsOf, type PhysicalNode, withInputs } from "../plan/physical.js";

/**
 * Parts of a plan that stand in it several times, as a common table that is used twice does: each is computed
 * once. Two parts are the same when they compute the same from the same sources, whatever their columns' names.
 */
export function shareParts(root: PhysicalNode): {
  readonly root: PhysicalNode;
  readonly parts: readonly PhysicalNode[];
} {
  if (!readsTwice(root)) return { root, parts: [] };
  const keys = new PartKeys();
  const counts = new Map<number, number>();
  const count = (node: PhysicalNode): void => {
    const key = keys.of(node);
    const times = (counts.get(key) ?? 0) + 1;
    counts.set(key, times);
    // What stands below the second of two is shared with them.
    if (times === 1) for (const input of inputsOf(node)) count(input);
  };
  count(root);
  const parts: PhysicalNode[] = [];
  const places = new Map<number, number>();
  const rebuild = (node: PhysicalNode): PhysicalNode => {
    const key = keys.of(node);
    const times = counts.get(key) ?? 0;
    // A source is shared anyway, and values cost nothing.
    if (times < 2 || node.kind === "source" || node.kind === "values") return withInputs(node, rebuild);
    const known = places.get(key);
    const place = known ?? parts.push(withInputs(node, rebuild)) - 1;
    places.set(key, place);
    return { kind: "shared", shared: place, id: node.id, types: node.types };
  };
  const shared = rebuild(root);
  // Each use has an id of its own, and so has the part.
  let id = 0;
  const number = (node: PhysicalNode): PhysicalNode => {
    const numbered = withInputs(node, number);
    return { ...numbered, id: id++ };
  };
  return parts.length === 0 ? { root, parts } : { parts: parts.map(number), root: number(shared) };
}

/** Whether a source stands in the plan twice: parts without one are not worth sharing. */
function readsTwice(root: PhysicalNode): boolean {
  const sources = new Set<number>();
  const pending = [root];
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    if (node.kind === "source") {
      if (sources.has(node.source)) return true;
      sources.add(node.source);
    }
    pending.push(...inputsOf(node));
  }
  return false;
}

/** Numbers for parts: equal for those that compute the same. */
class PartKeys {
  readonly #ofNode = new Map<PhysicalNode, number>();
  readonly #ofText = new Map<string, number>();

  of(node: PhysicalNode): number {
    const known = this.#ofNode.get(node);
    if (known !== undefined) return known;
    const inputs = inputsOf(node).map((input) => this.of(input));
    const own = { ...withInputs(node, () => placeholder), id: 0 };
    const text = JSON.stringify([own, inputs], (name, value: unknown) => {
      // What a column is called computes nothing.
      if (name === "name") return undefined;
      if (typeof value === "bigint") return `${value}n`;
      return value instanceof Map || value instanceof Uint8Array ? [...value] : value;
    });
    const key = this.#ofText.get(text) ?? this.#ofText.size;
    this.#ofText.set(text, key);
    this.#ofNode.set(node, key);
    return key;
  }
}

const placeholder: PhysicalNode = { kind: "values", rows: [], id: 0, types: [] };
