/** A member of a DeadlineQueue: the links are the queue's own. */
export interface Deadlined {
  deadlineMs: number;
  earlier: Deadlined | undefined;
  later: Deadlined | undefined;
}

/**
 * Things in the order of their deadlines. All have the same timeout, so each new one is the last:
 * a linked list does what a heap would, and everything takes constant time.
 */
export class DeadlineQueue<T extends Deadlined> {
  #first: T | undefined;
  #last: T | undefined;

  /** The earliest deadline; undefined when nothing waits. */
  get nextMs(): number | undefined {
    return this.#first?.deadlineMs;
  }

  push(member: T, deadlineMs: number): void {
    // A clock that stood still between two pushes is no reason to be out of order.
    member.deadlineMs = Math.max(deadlineMs, this.#last?.deadlineMs ?? 0);
    member.earlier = this.#last;
    member.later = undefined;
    if (this.#last === undefined) this.#first = member;
    else this.#last.later = member;
    this.#last = member;
  }

  remove(member: T): void {
    if (member.earlier === undefined) this.#first = member.later as T | undefined;
    else member.earlier.later = member.later;
    if (member.later === undefined) this.#last = member.earlier as T | undefined;
    else member.later.earlier = member.earlier;
    member.earlier = undefined;
    member.later = undefined;
  }

  /** Takes out the first member if its time has come. */
  popDue(nowMs: number): T | undefined {
    const first = this.#first;
    if (first === undefined || first.deadlineMs > nowMs) return undefined;
    this.remove(first);
    return first;
  }
}
