// Compiles native/tests/*_test.cc, the plain programs that test headers, and runs them:
//   node scripts/native-tests.mjs [--build] [name ...]
// With --build they are only compiled. A program that is newer than its sources is not compiled again. A test that depends on the instruction set is
// compiled for each set, and run for those that the machine has; undefined behaviour ends these programs by a trap, which needs no library.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { canRun, INSTRUCTION_SETS } from './instruction-sets.mjs';

const FLAGS = ['-std=c++20', '-O1', '-Wall', '-Wextra', '-Werror', '-MMD', '-I', '.', '-I', 'include'];
const TRAPS = ['-fsanitize=undefined', '-fsanitize-undefined-trap-on-error'];
/** GCC's own AVX-512 header reads values that it leaves uninitialized and warns about it (GCC bug 105593, fixed in GCC 13). */
const HEADER_WARNINGS = ['-Wno-uninitialized'];
const BY_INSTRUCTION_SET = ['simd'];
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

/** Whether the program is newer than every file that the compiler read for it. The make rule that -MMD writes beside it lists these files. */
function isUpToDate(program) {
  const rule = `${program}.d`;
  if (!existsSync(program) || !existsSync(rule)) return false;
  const sources = readFileSync(rule, 'utf8').replaceAll('\\\n', ' ').split(/\s+/).filter(Boolean).slice(1);
  const built = statSync(program).mtimeMs;
  return [...sources, fileURLToPath(import.meta.url)].every((source) => existsSync(source) && statSync(source).mtimeMs < built);
}

/** Compiles one test, for the compiler's default when `instructionSet` is undefined, and returns the path of the program. */
function compile(name, instructionSet) {
  const program = `build-tests/${name}_test${instructionSet === undefined ? '' : `-${instructionSet}`}`;
  if (isUpToDate(program)) return program;
  const march = instructionSet === undefined ? [] : [`-march=${instructionSet}`, ...HEADER_WARNINGS, ...TRAPS];
  const args = [...FLAGS, ...march, `tests/${name}${SUFFIX}`, '-MF', `${program}.d`, '-o', program];
  const { status, stderr, error } = spawnSync(process.env.CXX ?? 'c++', args, { encoding: 'utf8' });
  if (status !== 0) fail(`native-tests: ${name} does not compile\n${error ?? stderr}`);
  return program;
}

function run(program) {
  const { status, signal, stdout, stderr } = spawnSync(`./${program}`, { encoding: 'utf8' });
  if (status !== 0) fail(`native-tests: ${program} failed with ${signal ?? `exit code ${status}`}\n${stdout}${stderr}`);
}

function test(name) {
  const sets = BY_INSTRUCTION_SET.includes(name) && INSTRUCTION_SETS.length > 0 ? INSTRUCTION_SETS : [undefined];
  const programs = sets.map((set) => ({ set, program: compile(name, set) }));
  if (values.build === true) return;
  for (const { set, program } of programs) {
    if (canRun(set)) run(program);
    else console.log(`native-tests: ${program} was compiled but not run: this machine lacks ${set}`);
  }
  console.log(`native-tests: ${name} passed`);
}

process.chdir(fileURLToPath(new URL('../native', import.meta.url)));
mkdirSync('build-tests', { recursive: true });
for (const name of namesOf(positionals)) test(name);
