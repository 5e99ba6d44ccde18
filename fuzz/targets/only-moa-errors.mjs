import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MoaError } from '../../dist/core/errors.js';

/** What a message may take: whoever reads it is in a terminal. */
const MAX_MESSAGE = 10_000;

/** The value that `read` gives, or null where it refuses the input in a sentence. Any other error is a finding. */
export function orRefused(read) {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof MoaError)) throw error;
    if (error.message.length > MAX_MESSAGE) throw new Error(`A message of ${error.message.length} characters`, { cause: error });
    return null;
  }
}

/** An input's parts, which a zero byte separates, as text: `count` of them. */
export function textParts(data, count) {
  const parts = [];
  let rest = Buffer.from(data);
  for (let zero = rest.indexOf(0); parts.length < count - 1 && zero >= 0; zero = rest.indexOf(0)) {
    parts.push(rest.subarray(0, zero).toString('utf8'));
    rest = rest.subarray(zero + 1);
  }
  parts.push(rest.toString('utf8'));
  return [...parts, ...Array(count - parts.length).fill('')];
}

const folder = mkdtempSync(join(tmpdir(), 'moabench-fuzz-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));

/** A file of that name with that content, in a folder of its own: what is read only from files. */
export function fileOf(name, content) {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}
