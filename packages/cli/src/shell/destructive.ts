/** Whether a statement loses what cannot be brought back, so that a person is asked first. */
export function isDestructive(statement: string): boolean {
  return /^\s*(drop|terminate\s+(query\s+)?all)\b/i.test(statement);
}
