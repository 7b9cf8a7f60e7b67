import { unreachable } from "@hstream/proto";
import { parseScript, type StatementNode } from "@hstream/sql";

/**
 * The role that a script needs: `read` when none of its statements changes anything. Statements behind an
 * error count too; a text without a statement only tells its caller so, which takes no more than `read`.
 */
export function neededRole(script: string): "read" | "write" {
  return parseScript(script).statements.every(onlyReads) ? "read" : "write";
}

function onlyReads(statement: StatementNode): boolean {
  switch (statement.kind) {
    case "query":
    case "show":
    case "show-errors":
    case "describe":
    case "explain":
    case "analyze":
      return true;
    case "create-stream":
    case "create-stream-as":
    case "create-view":
    case "create-connector":
    case "insert":
    case "drop":
    case "terminate":
    case "pause":
    case "resume":
      return false;
    default:
      return unreachable(statement);
  }
}
