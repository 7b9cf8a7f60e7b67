import { limits } from "../limits.js";

const letter = /^\p{L}$/u;
const allowed = /^[\p{L}\p{N}_-]$/u;

/**
 * What is wrong with a name of a stream, subscription, query, view, connector or reader; undefined
 * when nothing is. Letters, digits, "-" and "_" of any script, a letter first, counted in characters.
 */
export function nameProblem(name: string): string | undefined {
  return lengthProblem(name) ?? (firstIsLetter(name) ? undefined : notALetter) ?? characterProblem(name);
}

/** The same for a resource id of LookupResource, which may begin with any allowed character. */
export function resourceIdProblem(id: string): string | undefined {
  return lengthProblem(id) ?? characterProblem(id);
}

const notALetter = "The first character of a name must be a letter.";

function firstIsLetter(name: string): boolean {
  const [first] = name;
  return first !== undefined && letter.test(first);
}

function lengthProblem(name: string): string | undefined {
  // A string has at most as many characters as code units, so long ones need no counting.
  const tooLong = name.length > 2 * limits.nameCharactersMax || [...name].length > limits.nameCharactersMax;
  if (name !== "" && !tooLong) return undefined;
  return `The length must be between 1 and ${limits.nameCharactersMax} characters.`;
}

function characterProblem(name: string): string | undefined {
  for (const character of name) {
    if (!allowed.test(character)) return `Illegal character '${character}' found.`;
  }
  return undefined;
}
