// The programs of native/tests, which test headers of the native code; one test each.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { expect, test } from 'vitest';

const SUFFIX = '_test.cc';
const names = readdirSync('native/tests')
  .filter((file) => file.endsWith(SUFFIX))
  .map((file) => file.slice(0, -SUFFIX.length));

test.each(names)('%s', (name) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['scripts/native-tests.mjs', name], { encoding: 'utf8' });
  expect({ status, output: `${stdout}${stderr}` }).toEqual({
    status: 0,
    output: expect.stringMatching(new RegExp(`^(native-tests: .+ was compiled but not run: .+\\n)*native-tests: ${name} passed\\n$`)),
  });
});
