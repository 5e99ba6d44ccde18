import { countText } from '../summary/phrases.ts';
import type { DataSummary } from '../summary/summary.ts';

export const DATA_COLUMNS = [
  'Task',
  'Length',
  'Data',
  'Revision',
  'Licence',
  'Files (sha256)',
  'Asked',
  'Usable',
  'Used',
  'Truncated',
] as const;

/** One row of text for each condition: where its samples come from, and how many there were. The columns are `DATA_COLUMNS`. */
export function dataRows(data: readonly DataSummary[]): string[][] {
  return data.map(({ task, length, reader, source, revision, licence, files, asked, usable, used, truncated }) => [
    task,
    countText(length),
    reader === 'generated' ? `generated from ${source}` : source,
    revision,
    licence,
    files.map(fileText).join(', '),
    String(asked),
    usable === null ? '' : String(usable),
    String(used),
    String(truncated),
  ]);
}

function fileText({ path, sha256, published }: DataSummary['files'][number]): string {
  const known = published === null ? '' : published ? ', as published' : ', not the published file';
  return `${path} (${sha256}${known})`;
}
