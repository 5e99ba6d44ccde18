// Coverage-guided fuzzing of what reads strangers' files, by Jazzer.js (libFuzzer), on dist:
//   npm run fuzz -- [--seconds 600] [target ...]
// One target after the other, each for the given time, from the inputs in fuzz/corpus/<target> and those found before, which are kept in
// .cache/fuzz/<target>. A finding ends the target; its input is left beside them. Jazzer.js ships its native part built: on Linux that
// needs glibc 2.38 or newer (Debian 13, Ubuntu 24.04). `npm test` runs the same targets over the corpus and seeded changes of it.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

/** Seconds for one input: far above what any takes, so that only a hang is a finding. */
const HANG_SECONDS = 10;
const MAX_MEMORY_MB = 2048;
/** Whose branches guide the search: ours, and the libraries that read tokenizers, templates and YAML. */
const INSTRUMENTED = ['dist/', 'node_modules/@huggingface/', 'node_modules/yaml/'];

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const { values, positionals } = parseArgs({
  options: { seconds: { type: 'string', default: '600' } },
  allowPositionals: true,
});
const targets = readdirSync('fuzz/corpus');

function stop(message) {
  console.error(message);
  process.exit(2);
}

function fuzz(target) {
  const found = `.cache/fuzz/${target}`;
  mkdirSync(found, { recursive: true });
  console.log(`fuzz: ${target} for ${values.seconds} s`);
  const { status } = spawnSync(
    process.execPath,
    [
      'node_modules/@jazzer.js/core/dist/cli.js',
      `fuzz/targets/${target}.mjs`,
      found,
      `fuzz/corpus/${target}`,
      '--sync',
      ...INSTRUMENTED.flatMap((folder) => ['--includes', folder]),
      ...['--excludes', 'node_modules/@jazzer.js/'],
      '--',
      `-max_total_time=${values.seconds}`,
      `-artifact_prefix=${found}/`,
      `-timeout=${HANG_SECONDS}`,
      `-rss_limit_mb=${MAX_MEMORY_MB}`,
    ],
    { stdio: 'inherit' },
  );
  return status === 0;
}

if (!(Number(values.seconds) > 0)) stop(`Expected seconds above 0 for --seconds but received ${values.seconds}`);
const unknown = positionals.filter((name) => !targets.includes(name));
if (unknown.length > 0) stop(`Expected targets among ${targets.join(', ')} but received ${unknown.join(', ')}`);
if (!existsSync('dist/cli/main.js')) stop('Expected dist for fuzzing but found none: run `npm run build:ts` first');
const failed = (positionals.length > 0 ? positionals : targets).filter((target) => !fuzz(target));
if (failed.length > 0) {
  console.error(`fuzz: findings in ${failed.join(', ')}; the inputs are in .cache/fuzz`);
  process.exit(1);
}
console.log('fuzz: no findings');
