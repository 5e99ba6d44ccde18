import { z } from 'zod';
import { readJsonAs } from '../core/json-file.ts';

const datasetSchema = z.strictObject({
  name: z.string().min(1),
  title: z.string().min(1),
  kind: z.enum(['test-cases', 'text', 'names']),
  source: z.string().min(1),
  /** Commit, version or data-set revision that the formats and numbers here were checked against. */
  revision: z.string().min(1),
  licence: z.string().min(1),
  /** How a user gets the files; "installed" for packages that come with npm ci. */
  obtain: z.string().min(1),
  files: z.array(
    z.strictObject({
      path: z.string().min(1),
      sha256: z
        .string()
        .regex(/^[0-9a-f]{64}$/)
        .nullable(),
    }),
  ),
  /** npm's integrity string of a package. */
  integrity: z.string().startsWith('sha512-').nullable(),
  note: z.string().optional(),
});

const manifestSchema = z.strictObject({ version: z.literal(1), datasets: z.array(datasetSchema).min(1) });

/** A pinned external data set. */
export type Dataset = Readonly<z.infer<typeof datasetSchema>>;

/** The pinned data sets that moabench reads or builds on, from datasets/manifest.json. */
export function listDatasets(): readonly Dataset[] {
  return readJsonAs(manifestSchema, new URL('../../datasets/manifest.json', import.meta.url), { what: 'a list of data sets' }).datasets;
}
