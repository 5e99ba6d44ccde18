// Does what a new user does, with the package that `npm pack` makes: installs it in an empty folder outside the repository, asks `doctor`, builds the native code,
// verifies it, runs a small suite, compiles a program against the types, and follows the README of every example.
//   node scripts/check-package.mjs [--keep]
// It needs npm's registry (or cache), CMake and a C++ compiler, and takes some minutes. --keep leaves the folder.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = fileURLToPath(new URL('..', import.meta.url));
const { values } = parseArgs({ options: { keep: { type: 'boolean', default: false } } });
/** Paths that must not be in the package: what a build on the packer's machine makes, and what is of no use to a user. */
const UNWANTED = /(^|\/)(build[^/]*\/|CMakeCache|__pycache__|node_modules\/|runs\/|test\/|tests\/)|\.(node|so|o|pyc|tgz)$/;
/** Most bytes of an installation. More means that a dependency is too large. */
const MOST_MEBIBYTES = 200;

const folder = mkdtempSync(join(tmpdir(), 'moabench-package-'));
const home = join(folder, 'project');
const installed = join(home, 'node_modules', 'moabench');
process.on('exit', () => {
  if (values.keep) console.log(`check-package: kept ${folder}`);
  else rmSync(folder, { recursive: true, force: true });
});

function stop(message) {
  console.error(`check-package: ${message}`);
  process.exit(1);
}

function expect(holds, what) {
  if (!holds) stop(`Expected ${what}`);
}

/** Returns what a command printed. Ends the check when the exit code is not the expected one. */
function run(command, args, { cwd = home, code = 0, env = {} } = {}) {
  const result = spawnSync(command, args, { cwd, encoding: 'utf8', env: { ...process.env, ...env }, maxBuffer: 1 << 26 });
  const shown = [command, ...args].join(' ');
  if (result.status !== code)
    stop(`Expected ${shown} to end with ${code} but received ${result.error ?? result.status}\n${result.stdout}${result.stderr}`);
  return `${result.stdout}${result.stderr}`;
}

/** Runs the installed command line with the node that runs this check, whatever else is on the PATH. */
const moabench = (args, options) => run(process.execPath, [join(installed, 'dist', 'cli', 'main.js'), ...args], options);

function step(name, work) {
  const started = performance.now();
  const said = work();
  console.log(`check-package: ${name} (${((performance.now() - started) / 1000).toFixed(0)} s)${said === undefined ? '' : `: ${said}`}`);
}

let tarball = '';
step('packed', () => {
  const [{ filename, files, unpackedSize }] = JSON.parse(
    run('npm', ['pack', '--json', '--silent', '--pack-destination', folder], { cwd: root }).replace(/^[^[]*/, ''),
  );
  tarball = join(folder, filename);
  const unwanted = files.map(({ path }) => path).filter((path) => UNWANTED.test(path));
  expect(unwanted.length === 0, `a tarball without ${unwanted.join(', ')}`);
  return `${files.length} files, ${(unpackedSize / 2 ** 20).toFixed(1)} MiB`;
});

step('installed in an empty folder', () => {
  mkdirSync(home);
  writeFileSync(join(home, 'package.json'), '{ "name": "project", "private": true, "type": "module" }\n');
  run('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', tarball]);
  const mebibytes = Number(run('du', ['-sm', join(home, 'node_modules')]).split(/\s/)[0]);
  expect(mebibytes <= MOST_MEBIBYTES, `at most ${MOST_MEBIBYTES} MiB in node_modules but received ${mebibytes}`);
  const mentions = run('grep', ['-rIlF', root, installed], { code: 1 });
  expect(mentions === '', `no file that names ${root} but received ${mentions}`);
  return `${mebibytes} MiB`;
});

step('without a compiler', () => {
  const nothing = { env: { PATH: join(folder, 'nothing') } };
  const said = moabench(['doctor'], nothing);
  expect(/cpu\s+no .*has not been built\n.*hint: Run `moabench build`/.test(said), `doctor to say what to do but received\n${said}`);
  const refused = moabench(['build'], { ...nothing, code: 1 });
  expect(refused.includes('Expected CMake (3.20 or newer) and a C++20 compiler'), `build to say what is missing but received\n${refused}`);
});

step('built', () => moabench(['build', '--cuda', 'off']).match(/^cpu .*$/m)?.[0]);
step('verified', () =>
  moabench(['verify', '--backend', 'cpu', '--quick'])
    .trim()
    .split('\n')
    .find((line) => / passed, /.test(line)),
);

step('ran a suite', () => {
  const before = run('find', [installed, '-type', 'f']).split('\n').length;
  moabench(['run', 'quick', '--only', 'retrieval/*/1024/dense', 'retrieval/*/1024/uniform-50', '--quiet']);
  const runs = readdirSync(join(home, 'runs'));
  expect(runs.length === 1 && existsSync(join(home, 'runs', runs[0], 'report.html')), `one run with a report but received ${runs}`);
  expect(run('find', [installed, '-type', 'f']).split('\n').length === before, 'nothing new in node_modules');
  return runs[0];
});

step('typed', () => {
  const blocks = [...readFileSync(join(installed, 'docs', 'api.md'), 'utf8').matchAll(/```ts\n([\s\S]*?)```/g)].map((match) => match[1]);
  expect(blocks.length > 0, 'an example in docs/api.md');
  for (const [i, block] of blocks.entries()) writeFileSync(join(home, `api-${i}.ts`), block);
  const compilerOptions = { module: 'nodenext', target: 'es2023', lib: ['es2023', 'esnext.disposable'], strict: true, outDir: 'api' };
  const node = { types: ['node'], typeRoots: [join(root, 'node_modules', '@types')] };
  writeFileSync(
    join(home, 'tsconfig.json'),
    JSON.stringify({ compilerOptions: { ...compilerOptions, ...node }, files: blocks.map((_, i) => `api-${i}.ts`) }),
  );
  run(process.execPath, [join(root, 'node_modules', 'typescript', 'bin', 'tsc')]);
  for (const i of blocks.keys()) run(process.execPath, [join(home, 'api', `api-${i}.js`)]);
});

/** The commands in the shell blocks of a README, one per line. */
function commandsOf(readme) {
  return [...readFileSync(readme, 'utf8').matchAll(/```sh\n([\s\S]*?)```/g)].flatMap((match) => match[1].trim().split('\n'));
}

const examples = readdirSync(join(installed, 'examples'), { withFileTypes: true }).filter((entry) => entry.isDirectory());
for (const { name } of examples) {
  step(`followed examples/${name}`, () => {
    const copy = join(home, name);
    cpSync(join(installed, 'examples', name), copy, { recursive: true });
    const commands = commandsOf(join(copy, 'README.md'));
    expect(commands.length > 0, `commands in examples/${name}/README.md`);
    // The node that runs this check, and npx as the user's shell has it.
    const env = { PATH: `${join(process.execPath, '..')}${delimiter}${process.env.PATH}` };
    for (const command of commands) run('bash', ['-ec', command], { cwd: copy, env });
  });
}
