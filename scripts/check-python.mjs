// Checks the Python code of this repository with ruff (ruff.toml), in the version that scripts/ruff.txt pins. If ruff is missing, it says so and does
// not fail, except in CI.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const pinned = /^ruff==(.*)$/m.exec(readFileSync(new URL('ruff.txt', import.meta.url), 'utf8'))?.[1];
const found = spawnSync('ruff', ['--version'], { encoding: 'utf8' });
const version = found.stdout?.trim().split(' ')[1];
if (version !== pinned) {
  const is = version === undefined ? 'is not installed' : `has version ${version}, not ${pinned}`;
  console.log(`ruff ${is}: the Python sources were not checked (pip install -r scripts/ruff.txt)`);
  process.exit(process.env.CI ? 1 : 0);
}
process.exit(spawnSync('ruff', ['check', '--quiet'], { stdio: 'inherit' }).status ?? 1);
