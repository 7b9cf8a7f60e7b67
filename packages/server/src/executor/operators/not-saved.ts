import { assert } from "@hstream/proto";

/** What an operator of finite inputs says when its state is asked for. */
export function notSaved(name: string): never {
  assert(false, `${name} is of a finite query, which is not saved`);
}
