/**
 * A moment of the monotonic clock that much can share, such as the appends that one sync has made durable.
 * Handed on as an object since numbers with fractions are made anew, in memory of their own, wherever V8
 * keeps them across an await or hands them to a function.
 */
export class Moment {
  /** Of the monotonic clock. */
  readonly ms: number;
  /** The whole seconds of it. */
  readonly second: number;

  constructor(ms: number) {
    this.ms = ms;
    this.second = Math.floor(ms / 1_000);
  }
}
