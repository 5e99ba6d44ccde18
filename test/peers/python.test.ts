import { chmodSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { findPython } from '../../src/peers/python.ts';

/** A python3 in a folder of its own that ends with this exit code: 0 has the module, 3 lacks it, others do not run. */
function python(exitCode: number): string {
  const folder = mkdtempSync(join(tmpdir(), 'python-'));
  const file = join(folder, 'python3');
  writeFileSync(file, `#!/bin/sh\nexit ${exitCode}\n`);
  chmodSync(file, 0o755);
  return file;
}

const folderOf = (file: string): string => join(file, '..');
let has: string;
let lacks: string;
beforeAll(() => {
  has = python(0);
  lacks = python(3);
});

describe('the Python of peers', () => {
  test('is the first of the PATH that has the module', async () => {
    const env = { PATH: [folderOf(lacks), '/nowhere', folderOf(has)].join(delimiter) };
    expect(await findPython({ module: 'torch', env })).toBe(has);
  });

  test('is the one of MOABENCH_PYTHON, whatever the PATH has; --python is before both', async () => {
    const other = python(0);
    expect(await findPython({ module: 'torch', env: { MOABENCH_PYTHON: other, PATH: folderOf(has) } })).toBe(other);
    expect(await findPython({ asked: has, module: 'torch', env: { MOABENCH_PYTHON: other } })).toBe(has);
  });

  test('that was asked for and lacks it is not replaced by another', async () => {
    const env = { MOABENCH_PYTHON: lacks, PATH: folderOf(has) };
    await expect(findPython({ module: 'torch', env })).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: `Expected a Python with torch for MOABENCH_PYTHON but received ${lacks}: it has no torch`,
      hint: `Install it there: ${lacks} -m pip install torch`,
    });
    await expect(findPython({ asked: '/no/python', module: 'torch', env })).rejects.toThrow(
      'for --python but received /no/python: it does not run',
    );
  });

  test('that is nowhere says what was looked at, and how to get it', async () => {
    await expect(findPython({ module: 'torch', env: { PATH: folderOf(lacks) } })).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: `Expected a python3 with torch on the PATH but found only ${lacks}`,
      hint: expect.stringContaining('--python or MOABENCH_PYTHON'),
    });
    await expect(findPython({ module: 'torch', env: { PATH: '' } })).rejects.toThrow('found no python3');
  });
});
