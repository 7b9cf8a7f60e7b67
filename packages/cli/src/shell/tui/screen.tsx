import { Box, Text, useCursor, useStdout } from "ink";
import { useEffect } from "react";
import type { EditorLayout } from "../layout.js";

/** What is below the scrollback: the prompt, or what runs. */
export type LiveArea =
  | {
      readonly kind: "prompt";
      readonly layout: EditorLayout;
      /** The rows of the layout, in colours. */
      readonly shown: readonly string[];
      /** The menu. */
      readonly below: readonly string[];
      readonly hint: string | undefined;
    }
  | { readonly kind: "status"; readonly panel: readonly string[]; readonly line: string }
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
  setCursorPosition(
    area.kind === "prompt" ? { x: area.layout.cursorColumn, y: area.layout.cursorRow } : undefined,
  );
  switch (area.kind) {
    case "nothing":
      return <Box />;
    case "status":
      return (
        <Box flexDirection="column">
          <Lines lines={area.panel} />
          <Text dimColor wrap="truncate">
            {area.line}
          </Text>
        </Box>
      );
    case "prompt":
      return (
        <Box flexDirection="column">
          <Lines lines={area.shown} />
          <Lines lines={area.below} />
          {area.hint === undefined ? null : (
            <Text dimColor wrap="truncate">
              {area.hint}
            </Text>
          )}
        </Box>
      );
  }
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
