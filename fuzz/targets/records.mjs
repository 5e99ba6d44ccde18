// The records of a run folder: what is read is a whole number of lines, and reads the same again.
import { readFileSync } from 'node:fs';
import { readRecords } from '../../dist/records/read-records.js';
import { fileOf, orRefused } from './only-moa-errors.mjs';

/** Bytes of a records.jsonl. */
export function fuzz(data) {
  return orRefused(() => {
    const path = fileOf('records.jsonl', data);
    const { records, bytes } = readRecords(path);
    if (!readFileSync(path).equals(Buffer.from(data))) throw new Error('Reading changed the file');
    const written = records.map((record) => `${JSON.stringify(record)}\n`).join('');
    const again = readRecords(fileOf('again.jsonl', written));
    if (again.records.length !== records.length || again.torn !== null) throw new Error(`Other records than in the ${bytes} bytes read`);
    return records.length > 0 ? records : null;
  });
}
