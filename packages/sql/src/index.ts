export type { Catalog, CatalogColumn, Relation } from "./catalog/catalog.js";
export type { Diagnostic, Span } from "./diagnostic.js";
export * from "./runtime.js";
