/**
 * The suite that an older run folder keeps, with today's names: in `efficiency`, `contexts` became `lengths` and `contextTokens` became
 * `length`. Any other value is returned unchanged.
 */
export function withTodaysNames(suite: unknown): unknown {
  const efficiency = objectAt(suite, 'efficiency');
  if (efficiency === null) return suite;
  const decode = renamed(objectAt(efficiency, 'decode'), 'contexts', 'lengths');
  const maxBatch = renamed(objectAt(efficiency, 'maxBatch'), 'contextTokens', 'length');
  return { ...(suite as object), efficiency: { ...efficiency, ...(decode && { decode }), ...(maxBatch && { maxBatch }) } };
}

type Fields = { readonly [key: string]: unknown };

function objectAt(value: unknown, key: string): Fields | null {
  const found = typeof value === 'object' && value !== null ? (value as Fields)[key] : null;
  return typeof found === 'object' && found !== null ? (found as Fields) : null;
}

function renamed(fields: Fields | null, from: string, to: string): Fields | null {
  if (fields === null || !(from in fields)) return fields;
  const { [from]: value, ...others } = fields;
  return { ...others, [to]: value };
}
