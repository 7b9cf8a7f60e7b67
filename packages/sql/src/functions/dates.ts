import { INTEGER, STRING } from "../types/types.js";
import { timestamp } from "../values/calendar.js";
import { toFloat } from "../values/numbers.js";
import { formatTime, parseTimeAs } from "./time-format.js";
import type { ScalarFunction } from "./function.js";
import { numberArg, textArg } from "./arguments.js";

export const dateFunctions: readonly ScalarFunction[] = [
  {
    kind: "scalar",
    name: "DATETOSTRING",
    nulls: "strict",
    help: "DATETOSTRING(seconds since 1970, format): text in GMT, format as strftime has it.",
    examples: [{ sql: "DATETOSTRING(0, '%Y-%m-%d %H:%M:%S')", result: "1970-01-01 00:00:00" }],
    signatures: [
      {
        parameters: ["number", "string"],
        result: STRING,
        evaluate: (args, context) => {
          const at = timestamp(toFloat(numberArg(args, 0)) * 1000);
          if (at === null) return context.error("DATETOSTRING: time out of range");
          return formatTime(at.ms, textArg(args, 1)) ?? context.error("DATETOSTRING: unknown format");
        },
      },
    ],
  },
  {
    kind: "scalar",
    name: "STRINGTODATE",
    nulls: "strict",
    help: "STRINGTODATE(text, format): INTEGER seconds since 1970, read as GMT unless the text has a zone.",
    examples: [
      { sql: "STRINGTODATE('1970-01-02 00:00:01', '%Y-%m-%d %H:%M:%S')", result: "86401" },
      { sql: "STRINGTODATE('x', '%Y')", result: "error" },
    ],
    signatures: [
      {
        parameters: ["string", "string"],
        result: INTEGER,
        evaluate: (args, context) => {
          const ms = parseTimeAs(textArg(args, 0), textArg(args, 1));
          return ms === null
            ? context.error("STRINGTODATE: the text does not have that format")
            : Math.floor(ms / 1000);
        },
      },
    ],
  },
];
