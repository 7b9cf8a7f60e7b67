/** The limits of this package, unit in the name. */

/** Parentheses, CASE, calls and subqueries inside each other. AND/OR chains are not nesting. */
export const parseDepthMax = 100;
/** One script. */
export const parseTextCharsMax = 1_048_576;
/** Operators in one chain such as a + b + c …, which makes a tree as deep as it is long. */
export const operatorChainMax = 500;
/** Nodes above each other in a syntax tree: chains inside parentheses add up. */
export const treeDepthMax = 700;
/** Relations that one statement reads, those of a common table counted at each of its uses. */
export const relationsMax = 200;
/** Names of streams, views and columns. */
export const nameCharsMax = 255;
/** Objects and arrays inside each other in a JSON text. */
export const jsonDepthMax = 100;
/** Diagnostics of one script; later ones are dropped. */
export const diagnosticsMax = 100;
/** Digits of a DECIMAL. */
export const decimalDigitsMax = 1000;
/** The buffer in which row keys are written; a larger one, made for a huge row, is given up after it. */
export const rowKeyBufferKeptBytesMax = 65_536;
/** A text that a function makes longer: REPEAT, LPAD, REPLACE … */
export const textResultCharsMax = 1_048_576;
/** Elements of an array that a function makes: GENERATE_SERIES. */
export const arrayResultElementsMax = 100_000;
/** Compiled regular expressions that are kept for the next row. */
export const regularExpressionsKeptMax = 100;
/** One regular expression. */
export const regularExpressionCharsMax = 2_000;
/** Values that ARRAY_AGG and STRING_AGG keep for one group. */
export const aggregateElementsMax = 1_000_000;
/** How often a query over system tables may be asked again (EMIT EVERY), and how seldom. */
export const pollMsMin = 100;
export const pollMsMax = 24 * 3_600_000;

/** Windows that a record is in: the length of HOP over its hop. */
export const windowsPerRowMax = 1000;
