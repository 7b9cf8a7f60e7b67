/** The types of SQL values. `dynamic`: each value has a type of its own (streams without columns). */
export type SqlType =
  | { readonly kind: "null" }
  | { readonly kind: "boolean" }
  | { readonly kind: "integer" }
  | { readonly kind: "float" }
  | { readonly kind: "decimal" }
  | { readonly kind: "string" }
  | { readonly kind: "bytea" }
  | { readonly kind: "date" }
  | { readonly kind: "time" }
  | { readonly kind: "timestamp" }
  | { readonly kind: "interval" }
  | { readonly kind: "jsonb" }
  | { readonly kind: "array"; readonly element: SqlType }
  | { readonly kind: "dynamic" };

export type SqlTypeKind = SqlType["kind"];
