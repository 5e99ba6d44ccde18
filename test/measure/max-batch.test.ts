import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MoaError } from '../../src/core/errors.ts';
import { findMaxBatch } from '../../src/measure/max-batch.ts';

const limitedTo = (limit: number) => async (batch: number) => {
  if (batch > limit) throw new MoaError('full', { code: 'OUT_OF_MEMORY' });
  return batch * 10;
};

test('finds exactly the largest batch that fits, with few trials', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 1, max: 256 }), async (limit, largest) => {
      const found = await findMaxBatch(limitedTo(limit), largest);
      expect(found.maxBatch).toBe(Math.min(limit, largest));
      expect(found.stopped).toBe(limit >= largest ? 'largest' : 'memory');
      expect(found.trials.length).toBeLessThanOrEqual(2 * Math.ceil(Math.log2(largest + 1)) + 2);
      expect(new Set(found.trials.map((t) => t.batch)).size).toBe(found.trials.length);
    }),
  );
});

test('an error other than out of memory is not taken for a limit', async () => {
  await expect(findMaxBatch(() => Promise.reject(new MoaError('bug', { code: 'INTERNAL' })), 8)).rejects.toThrow('bug');
});
