import type { Catalog, Relation } from "../catalog/catalog.js";
import { FLOAT, INTEGER, STRING, TIMESTAMP } from "../types/types.js";

const relations: readonly Relation[] = [
  { kind: "stream", id: "s1", name: "flights", columns: [], open: true, appendOnly: true },
  {
    kind: "stream",
    id: "s2",
    name: "typed",
    columns: [
      { name: "a", type: INTEGER },
      { name: "b", type: FLOAT },
      { name: "s", type: STRING },
      { name: "at", type: TIMESTAMP },
    ],
    open: true,
    appendOnly: true,
  },
  {
    kind: "stream",
    id: "s3",
    name: "closed",
    columns: [
      { name: "a", type: INTEGER },
      { name: "s", type: STRING },
    ],
    open: false,
    appendOnly: true,
  },
  {
    kind: "view",
    id: "v1",
    name: "per_origin",
    columns: [
      { name: "origin", type: STRING },
      { name: "flights", type: INTEGER },
    ],
    open: false,
    appendOnly: false,
  },
  {
    kind: "table",
    id: "t1",
    name: "streams",
    columns: [
      { name: "name", type: STRING },
      { name: "shards", type: INTEGER },
    ],
    open: false,
    appendOnly: true,
  },
  {
    kind: "table",
    id: "t2",
    name: "append_throughput",
    columns: [
      { name: "stream_name", type: STRING },
      { name: "throughput_1min", type: FLOAT },
    ],
    open: false,
    appendOnly: true,
  },
];

/** A stream without columns, two with, a view and a system table. */
export const testCatalog: Catalog = {
  relation: (name) => relations.find((relation) => relation.name === name),
  relationNames: () => relations.map((relation) => relation.name),
};
