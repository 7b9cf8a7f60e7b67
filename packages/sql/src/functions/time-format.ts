/** The strftime formats, in GMT and English. */

const months = [
  "January",
  "February",
  "March",
  "April",
  "May",
  "June",
  "July",
  "August",
  "September",
  "October",
  "November",
  "December",
];
const days = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const composed: ReadonlyMap<string, string> = new Map([
  ["F", "%Y-%m-%d"],
  ["T", "%H:%M:%S"],
  ["R", "%H:%M"],
  ["D", "%m/%d/%y"],
]);

const expand = (format: string): string =>
  format.replace(/%([FTRD])/g, (_, code: string) => composed.get(code) ?? "");

/** The text of a moment, or null for an unknown % code. */
export function formatTime(ms: number, format: string): string | null {
  const at = new Date(ms);
  const pad = (value: number, digits = 2): string => String(value).padStart(digits, "0");
  const parts: Readonly<Record<string, () => string>> = {
    Y: () => pad(at.getUTCFullYear(), 4),
    y: () => pad(at.getUTCFullYear() % 100),
    m: () => pad(at.getUTCMonth() + 1),
    d: () => pad(at.getUTCDate()),
    e: () => String(at.getUTCDate()).padStart(2, " "),
    H: () => pad(at.getUTCHours()),
    I: () => pad(at.getUTCHours() % 12 || 12),
    M: () => pad(at.getUTCMinutes()),
    S: () => pad(at.getUTCSeconds()),
    L: () => pad(at.getUTCMilliseconds(), 3),
    p: () => (at.getUTCHours() < 12 ? "AM" : "PM"),
    a: () => (days[at.getUTCDay()] ?? "").slice(0, 3),
    A: () => days[at.getUTCDay()] ?? "",
    b: () => (months[at.getUTCMonth()] ?? "").slice(0, 3),
    B: () => months[at.getUTCMonth()] ?? "",
    j: () => pad(Math.floor((ms - Date.UTC(at.getUTCFullYear(), 0, 1)) / 86_400_000) + 1, 3),
    s: () => String(Math.floor(ms / 1000)),
    z: () => "+0000",
    Z: () => "GMT",
    "%": () => "%",
  };
  let known = true;
  const text = expand(format).replace(/%(.?)/gs, (_, code: string) => {
    const part = Object.hasOwn(parts, code) ? parts[code] : undefined;
    known &&= part !== undefined;
    return part?.() ?? "";
  });
  return known ? text : null;
}

const patterns: Readonly<Record<string, string>> = {
  Y: "(?<Y>\\d{4})",
  m: "(?<m>\\d{1,2})",
  d: "(?<d>\\d{1,2})",
  e: "\\s?(?<e>\\d{1,2})",
  H: "(?<H>\\d{1,2})",
  M: "(?<M>\\d{1,2})",
  S: "(?<S>\\d{1,2})",
  L: "(?<L>\\d{1,3})",
  a: "[A-Za-z]{3}",
  A: "[A-Za-z]+",
  b: "(?<b>[A-Za-z]{3})",
  B: "(?<B>[A-Za-z]+)",
  s: "(?<s>-?\\d{1,14})",
  z: "(?<z>Z|[+-]\\d{2}:?\\d{2})",
  Z: "(?:GMT|UTC)",
  "%": "%",
};

/** Milliseconds since 1970 of a text in that format; null when it does not fit or no format is known. */
export function parseTimeAs(text: string, format: string): number | null {
  let source = "";
  const codes = new Set<string>();
  const chars = expand(format);
  for (let i = 0; i < chars.length; i++) {
    const char = chars[i] ?? "";
    if (char !== "%") {
      source += char.replace(/[.*+?^${}()|[\]\\/]/, "\\$&");
      continue;
    }
    const code = chars[++i] ?? "";
    const pattern = Object.hasOwn(patterns, code) ? patterns[code] : undefined;
    if (pattern === undefined || codes.has(code)) return null;
    if (code !== "%") codes.add(code);
    source += pattern;
  }
  const found = new RegExp(`^${source}$`).exec(text)?.groups;
  if (found === undefined) return null;
  if (found["s"] !== undefined) return Number(found["s"]) * 1000;
  const name = found["b"] ?? found["B"];
  const named = name === undefined ? -1 : months.findIndex((month) => month.slice(0, 3) === name.slice(0, 3));
  if (name !== undefined && named < 0) return null;
  const year = Number(found["Y"] ?? 1970);
  const month = name === undefined ? Number(found["m"] ?? 1) - 1 : named;
  const day = Number(found["d"] ?? found["e"] ?? 1);
  const date = new Date(0);
  date.setUTCFullYear(year, month, day);
  if (date.getUTCMonth() !== month || date.getUTCDate() !== day) return null;
  const [hours, minutes, seconds] = [
    Number(found["H"] ?? 0),
    Number(found["M"] ?? 0),
    Number(found["S"] ?? 0),
  ];
  if (hours > 23 || minutes > 59 || seconds > 59) return null;
  const zone = /^([+-])(\d{2}):?(\d{2})$/.exec(found["z"] ?? "");
  const offset =
    zone === null ? 0 : (zone[1] === "-" ? -1 : 1) * (Number(zone[2]) * 60 + Number(zone[3])) * 60_000;
  const fraction = Number((found["L"] ?? "").padEnd(3, "0"));
  return date.getTime() + ((hours * 60 + minutes) * 60 + seconds) * 1000 + fraction - offset;
}
