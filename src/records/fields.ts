import { z } from 'zod';

// What the records of several kinds have in common.

/** The `stretch` of a record of version 1. */
export const UNKNOWN_STRETCH = 'unknown';
/** The `content` of a sample of version 1. */
export const UNKNOWN_CONTENT = '00000000';

export const hash = z.string().regex(/^[0-9a-f]{8,64}$/, { error: 'Expected a hexadecimal hash' });
export const time = z.iso.datetime().describe('UTC, when the line was written.');
export const count = z.int().min(0);
export const positive = z.int().min(1);
export const bytes = z.number().min(0);
export const ms = z.number().min(0);
/** Tokens -> ratio, as a plan file has it. */
export const byTokens = z.record(z.string().regex(/^\d+$/), z.number());

/** What every line of a cell carries: the content hash that decides whether it may be reused, and whose it is. */
export const ofCell = { time, cell: hash, method: z.string().min(1) };
/** What was measured names the stretch of measuring that it comes from. */
export const measured = { ...ofCell, stretch: z.string().min(1).default(UNKNOWN_STRETCH).describe('Id of a stretch record.') };
export const content = hash
  .default(UNKNOWN_CONTENT)
  .describe('Of prompt token ids, references, scoring and most new tokens: what the sample is.');
export const kvBytes = z.strictObject({
  planned: bytes.describe('What the plan implies at this N.'),
  resident: bytes.describe('What the allocator gave, read after prefill.'),
});
/** Beside the plan's and the allocator's figures; absent in records of versions without devices. */
export const deviceMemory = z
  .strictObject({ freeBytes: bytes, totalBytes: bytes, poolReservedBytes: bytes, poolUsedBytes: bytes })
  .nullable()
  .describe('What the device said after the run; null where host memory is used.')
  .optional();
