import { spawn } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { moabench } from './tiny-suite.ts';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const STOPPED = 'Nothing was recorded yet.\nerror: Stopped on request\n';
const folder = mkdtempSync(join(tmpdir(), 'interrupt-'));
const built = (path: string): string => JSON.stringify(new URL(`../../dist/${path}`, import.meta.url).href);

/** Runs a program in a module of its own, sends it one signal as soon as it says 'ready', and gives how it ended. */
async function signalled(
  program: string,
  signal: NodeJS.Signals,
): Promise<{ code: number | null; by: string | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], { stdio: ['ignore', 'pipe', 'pipe'] });
  let [stdout, stderr] = ['', ''];
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
    if (stdout === 'ready\n') child.kill(signal);
  });
  return new Promise((resolve) => child.on('close', (code, by) => resolve({ code, by, stdout, stderr })));
}

/** Work that says it is ready, as `ready`, and is interruptible. */
const interruptible = (work: string): string => `
  import { writeSync } from 'node:fs';
  const { interruptible } = await import(${built('cli/interrupt.js')});
  const { withinTime } = await import(${built('model/format/time-limit.js')});
  const ready = () => writeSync(1, 'ready\\n');
  await interruptible(async ({ signal, placeChanged }) => { ${work} }, { beforeExit: () => writeSync(1, 'ended\\n'), howToGoOn: () => where });
`;

describe.each(SIGNALS)('one %s ends', (signal) => {
  test('an expression that backtracks for longer than anyone waits, with the last words that it was given', async () => {
    const work = `
      where = 'The run is in a\\u202e.'; placeChanged(); ready();
      withinTime({ milliseconds: 3_600_000, what: 'the expression' }, () => /(x+x+)+y/.test('x'.repeat(80)));`;
    const ended = await signalled(`let where = '';${interruptible(work)}`, signal);
    expect(ended).toEqual({ code: 130, by: null, stdout: 'ready\n', stderr: 'The run is in a\\u202e.\nerror: Stopped on request\n' });
  });

  test('a loop of any code', async () => {
    expect(await signalled(`const where = '';${interruptible('ready(); for (;;) {}')}`, signal)).toMatchObject({ code: 130, by: null });
  });

  test('work that listens, in its own way', async () => {
    const work = `
      ready();
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, 3_600_000);
        signal.addEventListener('abort', () => { clearTimeout(timer); resolve(); });
      });
      process.exitCode = 7;`;
    const ended = await signalled(`const where = 'Here.';${interruptible(work)}`, signal);
    expect(ended).toEqual({ code: 7, by: null, stdout: 'ready\nended\n', stderr: 'Here.\n' });
  });
});

describe('a run whose model was made to hang ends on one signal', () => {
  const REFERENCE = 'models/reference';

  /** A suite beyond the model's positions, which is told right before the first prompt is made. */
  function suiteFor(name: string, change: (model: string) => void): string {
    const model = join(folder, name);
    mkdirSync(model);
    for (const file of ['config.json', 'tokenizer.json', 'tokenizer_config.json', 'generation_config.json'])
      copyFileSync(join(REFERENCE, file), join(model, file));
    change(model);
    const path = join(folder, `${name}.yaml`);
    const quality = 'quality: { retrieval: { lengths: [20000], samples: 1 } }';
    writeFileSync(path, `version: 1\nname: hang\nmodel: { path: 'dummy:${model}' }\nmethods: [{ id: dense, method: dense }]\n${quality}\n`);
    return path;
  }

  const edit = (path: string, change: (json: Record<string, unknown>) => object): void =>
    writeFileSync(path, JSON.stringify(change(JSON.parse(readFileSync(path, 'utf8')))));
  const tokenizer = suiteFor('tokenizer', (model) =>
    edit(join(model, 'tokenizer.json'), (json) => ({
      ...json,
      pre_tokenizer: { type: 'Split', pattern: { Regex: '([^0]+[^0]+)+\\u0001' }, behavior: 'Isolated', invert: false },
    })),
  );
  const nested = (body: string): string => `{% for a in range(100000) %}${body}{% endfor %}`;
  const template = suiteFor('template', (model) =>
    edit(join(model, 'tokenizer_config.json'), (json) => ({ ...json, chat_template: nested(nested('{% if a == 0.5 %}x{% endif %}')) })),
  );

  test.each([
    ['tokenizer', tokenizer, 'SIGTERM'],
    ['tokenizer', tokenizer, 'SIGINT'],
    ['chat template', template, 'SIGTERM'],
    ['chat template', template, 'SIGINT'],
  ] as const)('by its %s', async (_, suite, signal) => {
    const { child, ended } = moabench(['run', suite, '--out', join(folder, 'run'), '--quiet']);
    child.stderr?.once('data', () => child.kill(signal));
    const run = await ended;
    expect(run).toMatchObject({ code: 130, signal: null, stdout: '' });
    expect(run.stderr).toMatch(/^note: Length 20000 is beyond/);
    expect(run.stderr.endsWith(STOPPED)).toBe(true);
  });
});
