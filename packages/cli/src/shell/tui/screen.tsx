import { Box, Text, useCursor, useStdout } from "ink";
import { useEffect } from "react";
import type { EditorLayout } from "../layout.js";

export interface PromptArea {
  readonly kind: "prompt";
  readonly layout: EditorLayout;
  /** The rows of the layout, in colours. */
  readonly shown: readonly string[];
  /** The menu. */
  readonly below: readonly string[];
  readonly hint: string | undefined;
}

/** What is below the scrollback: the prompt, or what runs. */
export type LiveArea =
  | PromptArea
  | {
      readonly kind: "status";
      readonly panel: readonly string[];
      readonly line: string;
      /** What is typed meanwhile. */
      readonly prompt: PromptArea | undefined;
    }
  | { readonly kind: "nothing" };

export interface ScreenProps {
  readonly area: LiveArea;
  /** Called once with the way to print above the live area. */
  readonly onReady: (write: (text: string) => void) => void;
}

/** Draws the live area, and puts the terminal's own cursor where typing goes. */
export function Screen({ area, onReady }: ScreenProps): React.JSX.Element {
  const { write } = useStdout();
  const { setCursorPosition } = useCursor();
  useEffect(() => onReady(write), [onReady, write]);
  setCursorPosition(cursorOf(area));
  switch (area.kind) {
    case "nothing":
      return <Box />;
    case "status":
      return (
        <Box flexDirection="column">
          <Lines lines={area.panel} />
          <Dim line={area.line} />
          {area.prompt === undefined ? null : <Prompt area={area.prompt} />}
        </Box>
      );
    case "prompt":
      return (
        <Box flexDirection="column">
          <Prompt area={area} />
        </Box>
      );
  }
}

function cursorOf(area: LiveArea): { readonly x: number; readonly y: number } | undefined {
  const prompt = area.kind === "status" ? area.prompt : area;
  if (prompt?.kind !== "prompt") return undefined;
  const above = area.kind === "status" ? area.panel.length + 1 : 0;
  return { x: prompt.layout.cursorColumn, y: above + prompt.layout.cursorRow };
}

function Prompt({ area }: { readonly area: PromptArea }): React.JSX.Element {
  return (
    <>
      <Lines lines={area.shown} />
      <Lines lines={area.below} />
      {area.hint === undefined ? null : <Dim line={area.hint} />}
    </>
  );
}

function Dim({ line }: { readonly line: string }): React.JSX.Element {
  return (
    <Text dimColor wrap="truncate">
      {line}
    </Text>
  );
}

function Lines({ lines }: { readonly lines: readonly string[] }): React.JSX.Element {
  return (
    <>
      {lines.map((line, index) => (
        // Rows have no identity but their place.
        <Text key={index} wrap="truncate">
          {line === "" ? " " : line}
        </Text>
      ))}
    </>
  );
}
