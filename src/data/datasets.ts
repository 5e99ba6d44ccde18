import { z } from 'zod';
import { invalidArgument } from '../core/errors.ts';
import { readJsonAs } from '../core/json-file.ts';

const datasetSchema = z
  .strictObject({
    name: z.string().min(1),
    title: z.string().min(1),
    kind: z.enum(['test-cases', 'text', 'names']),
    source: z.string().min(1),
    /** Commit, version or data-set revision that the formats and numbers here were checked against. */
    revision: z.string().min(1),
    licence: z.string().min(1),
    /** How a user gets the files; "installed" for packages that come with moabench. */
    obtain: z.string().min(1),
    files: z.array(z.strictObject({ path: z.string().min(1), sha256: z.string().regex(/^[0-9a-f]{64}$/) })),
    /** npm's integrity string of a package. */
    integrity: z.string().startsWith('sha512-').optional(),
    /** Why neither files nor a package are pinned. */
    unpinned: z.string().min(1).optional(),
    note: z.string().optional(),
  })
  .refine(({ files, integrity, unpinned }) => (files.length > 0 || integrity !== undefined) === (unpinned === undefined), {
    error: 'Expected either hashes or the reason why there are none',
  });

const manifestSchema = z.strictObject({ version: z.literal(1), datasets: z.array(datasetSchema).min(1) });

/** A pinned external data set. */
export type Dataset = Readonly<z.infer<typeof datasetSchema>>;

/** The pinned data sets that moabench reads or builds on, from datasets/manifest.json. */
export function listDatasets(): readonly Dataset[] {
  return readJsonAs(manifestSchema, new URL('../../datasets/manifest.json', import.meta.url), { what: 'a list of data sets' }).datasets;
}

/** The data set of a name. Throws INVALID_ARGUMENT for an unknown one. */
export function datasetNamed(name: string): Dataset {
  const dataset = listDatasets().find((known) => known.name === name);
  if (dataset === undefined) throw invalidArgument('a data set of datasets/manifest.json', 'name', name);
  return dataset;
}
