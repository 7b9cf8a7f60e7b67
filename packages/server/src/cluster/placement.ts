import { createHash } from "node:crypto";
import { must } from "@hstream/proto";

/** Places of each node on the ring: more make the shares more even. */
const placesPerNode = 64;

/**
 * Consistent hashing: each node has places on a ring of 2^32, and a resource belongs to the node
 * whose place follows its own. When a node comes or goes, only its share moves
 * (Karger et al., "Consistent Hashing and Random Trees", 1997).
 */
export class Placement<Node> {
  readonly #ring: { readonly place: number; readonly node: Node }[] = [];

  constructor(nodes: readonly Node[], nameOf: (node: Node) => string) {
    for (const node of nodes) {
      for (let i = 0; i < placesPerNode; i++)
        this.#ring.push({ place: placeOf(`${nameOf(node)}#${i}`), node });
    }
    this.#ring.sort((a, b) => a.place - b.place);
  }

  /** The node that a resource belongs to; undefined when there are no nodes. */
  nodeOf(resource: string): Node | undefined {
    if (this.#ring.length === 0) return undefined;
    const place = placeOf(resource);
    let low = 0;
    let high = this.#ring.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (must(this.#ring[middle], "inside the ring").place < place) low = middle + 1;
      else high = middle;
    }
    return must(this.#ring[low % this.#ring.length], "inside the ring").node;
  }
}

function placeOf(name: string): number {
  return createHash("md5").update(name, "utf8").digest().readUInt32BE(0);
}
