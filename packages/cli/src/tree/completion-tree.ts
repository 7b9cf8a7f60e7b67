import { Argument, type Command } from "commander";
import { type Context, type Finish } from "./tree-parts.js";

/** `completion bash|zsh|fish`, and the hidden command that the scripts ask. */
export function addCompletion(program: Command, context: Context, finish: Finish): void {
  program
    .command("completion")
    .addArgument(new Argument("<shell>", "the shell").choices(["bash", "zsh", "fish"]))
    .description("print a script that completes commands, flags and names in your shell")
    .addHelpText(
      "after",
      '\nExamples:\n  eval "$(hstream completion bash)"\n  eval "$(hstream completion zsh)"\n  hstream completion fish | source',
    )
    .action((shell: "bash" | "zsh" | "fish") =>
      finish(import("../commands/completion.js").then((run) => run.printCompletion(context(), shell))),
    );
  program
    .command("__complete [words...]", { hidden: true })
    .allowUnknownOption()
    .action((words: string[]) =>
      finish(import("../commands/completion.js").then((run) => run.completeWords(context(), program, words))),
    );
}
