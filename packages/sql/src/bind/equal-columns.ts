import type { Expression } from "../plan/expression.js";

/** Which columns the conditions of a query make equal. */
export class EqualColumns {
  readonly #parent = new Map<number, number>();

  /** Takes a = b of two plain columns; other conditions say nothing. */
  add(condition: Expression): void {
    if (condition.kind !== "call" || condition.function !== "=") return;
    const [a, b] = condition.args;
    if (a?.kind !== "column" || b?.kind !== "column") return;
    this.#parent.set(this.#root(a.index), this.#root(b.index));
  }

  has(a: number, b: number): boolean {
    return this.#root(a) === this.#root(b);
  }

  #root(id: number): number {
    let at = id;
    for (let up = this.#parent.get(at); up !== undefined && up !== at; up = this.#parent.get(at)) at = up;
    return at;
  }
}
