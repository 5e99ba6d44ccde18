// Compiles native/tests/*_test.cc, the plain programs that test the headers shared by host and device code, and runs them:
//   node scripts/native-tests.mjs [--build] [name ...]
// With --build they are only compiled. A program that is newer than its sources is not compiled again.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const FLAGS = ['-std=c++20', '-O1', '-Wall', '-Wextra', '-Werror', '-MMD', '-I', '.', '-I', 'include'];
const SUFFIX = '_test.cc';
const { values, positionals } = parseArgs({ options: { build: { type: 'boolean' } }, allowPositionals: true });

function fail(message) {
  console.error(message);
  process.exit(1);
}

function namesOf(wanted) {
  const names = readdirSync('tests')
    .filter((file) => file.endsWith(SUFFIX))
    .map((file) => file.slice(0, -SUFFIX.length));
  const unknown = wanted.filter((name) => !names.includes(name));
  if (unknown.length > 0) fail(`Expected ${names.join(', ')} for the native tests but received ${unknown.join(', ')}`);
  return wanted.length > 0 ? wanted : names;
}

/** Whether the program is newer than all that the compiler read for it, by the make rule that -MMD left beside it. */
function isUpToDate(program) {
  const rule = `${program}.d`;
  if (!existsSync(program) || !existsSync(rule)) return false;
  const sources = readFileSync(rule, 'utf8').replaceAll('\\\n', ' ').split(/\s+/).filter(Boolean).slice(1);
  const built = statSync(program).mtimeMs;
  return sources.every((source) => existsSync(source) && statSync(source).mtimeMs < built);
}

function compile(name) {
  const program = `build-tests/${name}_test`;
  if (isUpToDate(program)) return program;
  const args = [...FLAGS, `tests/${name}${SUFFIX}`, '-MF', `${program}.d`, '-o', program];
  const { status, stderr, error } = spawnSync(process.env.CXX ?? 'c++', args, { encoding: 'utf8' });
  if (status !== 0) fail(`native-tests: ${name} does not compile\n${error ?? stderr}`);
  return program;
}

function run(name, program) {
  const { status, signal, stdout, stderr } = spawnSync(`./${program}`, { encoding: 'utf8' });
  if (status !== 0) fail(`native-tests: ${name} failed with ${signal ?? `exit code ${status}`}\n${stdout}${stderr}`);
  console.log(`native-tests: ${name} passed`);
}

process.chdir(fileURLToPath(new URL('../native', import.meta.url)));
mkdirSync('build-tests', { recursive: true });
for (const name of namesOf(positionals)) {
  const program = compile(name);
  if (values.build !== true) run(name, program);
}
