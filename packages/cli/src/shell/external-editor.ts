import { join } from "node:path";
import type { System } from "../system/system.js";

/** Lets the user write a text in $VISUAL or $EDITOR; undefined when there is none that starts. */
export async function editExternally(system: System, text: string): Promise<string | undefined> {
  const { env, files } = system;
  const wanted = env["VISUAL"] ?? env["EDITOR"];
  const directory = await files.temporaryDirectory("hstream-edit-");
  const file = join(directory, "statement.sql");
  try {
    await files.write(file, text === "" ? "" : `${text}\n`);
    for (const editor of wanted === undefined || wanted === "" ? ["vi", "nano"] : [wanted]) {
      const [command = editor, ...args] = editor.split(/\s+/).filter((word) => word !== "");
      const code = await system.runProgram({ command, args: [...args, file] });
      // An editor that was left with an error means: forget it.
      if (code !== undefined) return code === 0 ? (await files.read(file)).trimEnd() : text;
    }
    return undefined;
  } finally {
    await files.removeDirectory(directory);
  }
}
