/** Items in order, `size` at a time; the last batch may be smaller. */
export async function* inBatches<T>(items: AsyncIterable<T>, size: number): AsyncIterable<readonly T[]> {
  let batch: T[] = [];
  for await (const item of items) {
    batch.push(item);
    if (batch.length < size) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

/** The items in groups whose members fit together, in order of first appearance. `fits` must be an equivalence relation. */
export function partition<T>(items: readonly T[], fits: (a: T, b: T) => boolean): readonly (readonly T[])[] {
  const parts: T[][] = [];
  for (const item of items) {
    const part = parts.find(([first]) => first !== undefined && fits(first, item));
    if (part === undefined) parts.push([item]);
    else part.push(item);
  }
  return parts;
}
