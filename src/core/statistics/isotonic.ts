/**
 * The non-increasing sequence closest to `values` in weighted least squares (pool adjacent violators): blocks that rise are pooled
 * to their weighted mean. Same length and order as `values`; weights > 0.
 */
export function nonIncreasingFit(values: readonly number[], weights: readonly number[]): number[] {
  const blocks: { mean: number; weight: number; length: number }[] = [];
  values.forEach((value, index) => {
    let block = { mean: value, weight: weights[index] as number, length: 1 };
    for (let previous = blocks.at(-1); previous !== undefined && previous.mean < block.mean; previous = blocks.at(-1)) {
      blocks.pop();
      const weight = previous.weight + block.weight;
      block = {
        mean: (previous.mean * previous.weight + block.mean * block.weight) / weight,
        weight,
        length: previous.length + block.length,
      };
    }
    blocks.push(block);
  });
  return blocks.flatMap(({ mean, length }) => new Array<number>(length).fill(mean));
}
