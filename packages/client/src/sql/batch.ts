import { type ColumnReader, decodeRowBatch, isMalformed, type RowBatch } from "@hstream/proto";
import { HStreamClientError } from "../errors.js";

/** A column of a result. `type` as SQL spells it; DYNAMIC where each value has a type of its own. */
export interface SqlColumn {
  readonly name: string;
  readonly type: string;
}

/** A cell: INTEGER beyond 2^53 is a bigint; DYNAMIC, JSONB and arrays are parsed JSON. */
export type SqlCell =
  | null
  | boolean
  | number
  | bigint
  | string
  | readonly SqlCell[]
  | { readonly [field: string]: SqlCell };

/** A row: column name → cell. Of several columns of one name the last one counts. */
export type SqlRow = { readonly [column: string]: SqlCell };

/** The values of one column of a batch. */
export interface ColumnValues {
  /** How they travelled; "text" and "json" hold strings, "allNull" nothing. */
  readonly kind: ColumnReader["kind"];
  isNull(row: number): boolean;
  /** The cell as a JavaScript value. */
  value(row: number): SqlCell;
  /** The cell as text for people: a string without quotes, JSON as it is. NULL is "". */
  text(row: number): string;
  /** The cell as JSON text. */
  json(row: number): string;
}

/** Some rows of a result, by columns. */
export class SqlBatch {
  readonly rowCount: number;
  /** All columns known when the batch came. */
  readonly columns: readonly SqlColumn[];
  readonly #values: readonly ColumnValues[];
  readonly #isDeletion: (row: number) => boolean;

  /** Throws HStreamClientError (reason "protocol") when the batch cannot be read. */
  constructor(batch: RowBatch, columns: readonly SqlColumn[]) {
    const rows = decodeRowBatch(batch, columns.length);
    if (isMalformed(rows)) {
      const message = `A batch of rows cannot be read: ${rows.reason}.`;
      throw new HStreamClientError({ reason: "protocol", message });
    }
    this.rowCount = rows.rowCount;
    this.columns = columns;
    this.#values = rows.columns.map(valuesOf);
    this.#isDeletion = (row) => rows.isDelete(row);
  }

  /** The values of a column, by its place; throws RangeError when there is no such place. */
  values(column: number): ColumnValues {
    const values = this.#values[column];
    if (values === undefined) throw new RangeError(`There is no column ${column} of ${this.columns.length}.`);
    return values;
  }

  /** Whether the row takes back a row of before. */
  isDeletion(row: number): boolean {
    return this.#isDeletion(row);
  }

  /** One row as an object. */
  row(row: number): SqlRow {
    const cells: Record<string, SqlCell> = {};
    this.columns.forEach(({ name }, column) => {
      const value = this.values(column).value(row);
      if (name === "__proto__") Object.defineProperty(cells, name, { value, enumerable: true });
      else cells[name] = value;
    });
    return cells;
  }
}

function valuesOf(column: ColumnReader): ColumnValues {
  return {
    kind: column.kind,
    isNull: (row) => column.isNull(row),
    value: (row) => column.get(row),
    text: (row) => textOf(column, row),
    json: (row) => column.json(row),
  };
}

function textOf(column: ColumnReader, row: number): string {
  if (column.isNull(row)) return "";
  return column.kind === "json" ? readable(column.json(row)) : String(column.get(row));
}

/** A text without its quotes, a date or the like ({"$date":"2020-01-01"}) without its wrapper. */
function readable(json: string): string {
  if (json.startsWith('"')) return String(JSON.parse(json));
  const wrapped = wrapper.exec(json);
  return wrapped?.[1] === undefined ? json : String(JSON.parse(wrapped[1]));
}

const wrapper =
  /^\{"\$(?:date|time|timestamp|interval|numberLong|numberDouble|numberDecimal)":("(?:[^"\\]|\\.)*")\}$/;
