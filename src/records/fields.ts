import { z } from 'zod';

// Fields that records of several kinds share.

/** Stands for the stretch in records of version 1, which name none. */
export const UNKNOWN_STRETCH = 'unknown';
/** Stands for the content hash in samples of version 1, which have none. */
export const UNKNOWN_CONTENT = '00000000';

export const hash = z.string().regex(/^[0-9a-f]{8,64}$/, { error: 'Expected a hexadecimal hash' });
export const time = z.iso.datetime().describe('UTC, when the line was written.');
export const count = z.int().min(0);
export const positive = z.int().min(1);
export const bytes = z.number().min(0);
export const ms = z.number().min(0);
/** A density or a loss for each length. The keys are lengths in tokens, as in a plan file. */
export const byTokens = z.record(z.string().regex(/^\d+$/), z.number());

/** Every line about a cell has these fields. `cell` is the cell's content hash, which decides whether the line may be reused. */
export const ofCell = { time, cell: hash, method: z.string().min(1) };
/** The fields of everything that was measured. They name the stretch of measuring that made it. */
export const measured = { ...ofCell, stretch: z.string().min(1).default(UNKNOWN_STRETCH).describe('Id of a stretch record.') };
export const content = hash
  .default(UNKNOWN_CONTENT)
  .describe('Of prompt token ids, references, scoring and most new tokens: what the sample is.');
export const kvBytes = z.strictObject({
  planned: bytes.describe('What the plan implies at this N.'),
  resident: bytes.describe('What the allocator gave, read after prefill.'),
});
/** The device's own figures, beside those of the plan and of the allocator. Absent in records of versions that knew no devices. */
export const deviceMemory = z
  .strictObject({ freeBytes: bytes, totalBytes: bytes, poolReservedBytes: bytes, poolUsedBytes: bytes })
  .nullable()
  .describe('What the device said after the run; null where host memory is used.')
  .optional();
