// Formats native/ and the examples with clang-format (.clang-format beside package.json); with --check it only says what would change, and fails if
// something would.
import { spawnSync } from 'node:child_process';

const check = process.argv.includes('--check');
const listed = spawnSync(
  'git',
  ['ls-files', '-co', '--exclude-standard', 'native/*.h', 'native/*.cc', 'native/*.cu', 'native/*.cuh', 'examples/*.cc'],
  {
    encoding: 'utf8',
  },
);
const files = listed.stdout.split('\n').filter(Boolean);
const result = spawnSync('clang-format', [...(check ? ['--dry-run', '--Werror'] : ['-i']), ...files], { stdio: 'inherit' });
if (result.error) {
  console.log('clang-format is not installed: the native sources were not checked (Debian: apt-get install clang-format)');
  process.exit(process.env.CI ? 1 : 0);
}
process.exit(result.status ?? 1);
