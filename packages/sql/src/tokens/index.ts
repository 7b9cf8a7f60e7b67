export type { Span } from "../diagnostic.js";
export { type ClassifiedToken, classifyTokens, type TokenClass } from "./highlight.js";
export { contextualWords, reservedWords } from "./keywords.js";
export { splitStatements, type StatementText } from "./split.js";
export { isReserved } from "./token-types.js";
