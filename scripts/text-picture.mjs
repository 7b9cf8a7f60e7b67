/** A picture of text as a terminal shows it. */

const escapes = { "&": "&amp;", "<": "&lt;", ">": "&gt;" };

/**
 * @param {string} title For those who cannot see it.
 * @param {string} text Its lines.
 * @returns {string} SVG.
 */
export function textPicture(title, text) {
  const lines = text.trimEnd().split("\n");
  const [lineHeight, cellWidth, margin] = [18, 8.43, 16];
  const width = Math.ceil(Math.max(...lines.map(({ length }) => length)) * cellWidth + 2 * margin);
  const height = lines.length * lineHeight + 2 * margin;
  const drawn = lines.map((line, y) => {
    const content = line.replaceAll(/[&<>]/g, (character) => escapes[character]);
    const length = line.length === 0 ? "" : ` textLength="${(line.length * cellWidth).toFixed(1)}"`;
    return `<text x="${margin}" y="${margin + (y + 0.75) * lineHeight}"${length}>${content}</text>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" xml:space="preserve" viewBox="0 0 ${width} ${height}" width="${width}" font-family="ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace" font-size="14">`,
    `<title>${title}</title>`,
    "<style>rect{fill:#16181d}text{fill:#d8dce4;white-space:pre}</style>",
    '<rect width="100%" height="100%" rx="8"/>',
    ...drawn,
    "</svg>\n",
  ].join("\n");
}
