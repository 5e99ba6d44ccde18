import { execFileSync, spawn } from 'node:child_process';
import { closeSync, cpSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { Tokenizer } from '../../src/model/format/tokenizer/tokenizer.ts';
import { summarySchema } from '../../src/summary/summary.ts';
import { type Ended, moabench, tinySuite } from './tiny-suite.ts';

const folder = mkdtempSync(join(tmpdir(), 'edges-'));
const dense = (extra = ''): string =>
  `version: 1\nname: dense\nmodel: { path: models/reference }\nmethods: [{ id: dense, method: dense }${extra}]\nquality: { retrieval: { lengths: [512], samples: 1 } }\n`;
const suiteFile = (name: string, text: string): string => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};
const suite = suiteFile('dense.yaml', dense());
/** One sentence, at most with a hint, and no stack. */
const sentence = (run: Ended): string => {
  expect(run.stderr).not.toMatch(/^ +at /m);
  return run.stderr;
};

/** A line of a LongEval file. */
function longEvalItem(line: string): string {
  const text = `line ${line}: REGISTER_CONTENT is <4711>\n`;
  const question = `\nTell me what is the <REGISTER_CONTENT> in line ${line}? I need the number.\n`;
  return JSON.stringify({ random_idx: [line, 0], expected_number: 4711, num_lines: 1, correct_line: text, prompt: `${text}${question}` });
}

/** The reference model with an embedding of NaN for the token of a text; its head is a copy of the embeddings without. */
function poisonedModel(target: string, text: string): void {
  cpSync('models/reference', target, { recursive: true });
  const config = JSON.parse(readFileSync(join(target, 'config.json'), 'utf8'));
  writeFileSync(join(target, 'config.json'), JSON.stringify({ ...config, tie_word_embeddings: false }));
  const weights = readFileSync('models/reference/model.safetensors');
  const start = 8 + Number(weights.readBigUInt64LE(0));
  const header = JSON.parse(weights.toString('utf8', 8, start));
  const { shape, dtype, data_offsets: at } = header['model.embed_tokens.weight'];
  const data = weights.subarray(start);
  const head = Buffer.from(data.subarray(at[0], at[1]));
  header['lm_head.weight'] = { dtype, shape, data_offsets: [data.length, data.length + head.length] };
  const token = Tokenizer.read(target).encode(text).at(-1) ?? 0;
  for (let i = 0; i < shape[1]; i++) data.writeUInt16LE(0x7fc0, at[0] + 2 * (token * shape[1] + i));
  const bytes = Buffer.from(JSON.stringify(header));
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(bytes.length));
  writeFileSync(join(target, 'model.safetensors'), Buffer.concat([size, bytes, data, head]));
}

describe('exit codes', () => {
  test('0: all completed', async () => {
    expect(await moabench(['run', suite, '--out', join(folder, 'ok'), '--quiet']).ended).toMatchObject({ code: 0, stderr: '' });
  });

  test('1: some failed', async () => {
    const mixed = suiteFile('mixed.yaml', dense(', { id: lost, method: plan, path: none.json }'));
    expect(await moabench(['run', mixed, '--out', join(folder, 'mixed'), '--quiet']).ended).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('1 failed'),
    });
  });

  test('1: a cell that fails at its second sample keeps the first, and concludes nothing', async () => {
    const model = join(folder, 'poisoned');
    poisonedModel(model, '~');
    writeFileSync(join(folder, 'poison.jsonl'), `${longEvalItem('calm-river')}\n${longEvalItem('calm~river')}\n`);
    const source = '{ kind: longeval, files: [{ path: poison.jsonl, length: 320 }] }';
    const quality = `quality: { retrieval: { lengths: [320], samples: 2, source: ${source} } }`;
    const head = `version: 1\nname: partial\nmodel: { path: ${model} }\nmethods: [{ id: dense, method: dense }]`;
    const out = join(folder, 'partial');
    const run = await moabench(['run', suiteFile('partial.yaml', `${head}\n${quality}\n`), '--out', out, '--quiet']).ended;
    expect(run).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/1 cell completed, 1 failed.*failed {2}retrieval\/lines\/320\/dense: Expected finite/s),
    });
    expect(sentence(run)).toBe('');
    const summary = summarySchema.parse(JSON.parse(readFileSync(join(out, 'summary.json'), 'utf8')));
    expect(summary.cells).toMatchObject({ completed: 1, failed: [{ cellId: 'retrieval/lines/320/dense' }] });
    expect(summary.methods[0]?.retrieval).toMatchObject({ lengths: [{ accuracy: { n: 1 } }], effectiveContext: null });
  });

  test('2: data that cannot be used, before anything is made', async () => {
    writeFileSync(join(folder, 'lcc.jsonl'), '{"input": 7}\n');
    const data = '{ longbench: { tasks: [lcc], length: 512, samples: 1, source: { kind: longbench, folder: . } } }';
    const bad = suiteFile('data.yaml', dense().replace(/quality: .*/, `quality: ${data}`));
    const run = await moabench(['run', bad, '--out', join(folder, 'data')]).ended;
    expect(run).toMatchObject({ code: 2, stdout: '' });
    expect(sentence(run)).toContain(`${join(folder, 'lcc.jsonl')}:1`);
    expect(existsSync(join(folder, 'data'))).toBe(false);
    writeFileSync(join(folder, 'lcc.jsonl'), '');
    expect(await moabench(['run', bad, '--dry-run']).ended).toMatchObject({ code: 2, stdout: '' });
  });

  test('2: a bad suite, bad arguments', async () => {
    const bad = suiteFile('bad.yaml', `${dense()}backend: gpu\n`);
    const run = await moabench(['run', bad]).ended;
    expect(run).toMatchObject({ code: 2, stdout: '' });
    expect(sentence(run)).toContain('Write backend: { name: cpu } or');
    expect(await moabench(['run', suite, '--rounds', '3']).ended).toMatchObject({ code: 2 });
  });

  test('2: a name in --only that matches nothing, beside one that does', async () => {
    const run = await moabench(['compress', suite, '--only', 'dense', 'nope', '--out', join(folder, 'only')]).ended;
    expect(run).toMatchObject({ code: 2, stdout: '' });
    expect(sentence(run)).toContain('plan/nope matches none of');
  });

  test('2: a suite that names files elsewhere; --allow-outside lets it', async () => {
    const outside = suiteFile('outside.yaml', dense(', { id: passwd, method: plan, path: /etc/passwd }'));
    const run = await moabench(['run', outside, '--out', join(folder, 'outside')]).ended;
    expect(run).toMatchObject({ code: 2, stdout: '' });
    expect(sentence(run)).toContain('--allow-outside');
    const allowed = await moabench(['run', outside, '--out', join(folder, 'outside'), '--quiet', '--allow-outside']).ended;
    expect(allowed).toMatchObject({ code: 1, stdout: expect.stringContaining('Expected JSON in /etc/passwd but received other text') });
    for (const file of ['records.jsonl', 'report.md', 'report.html', 'summary.json']) {
      expect(readFileSync(join(folder, 'outside', file), 'utf8'), file).not.toContain('root:x');
    }
  });

  test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    '130: %s, also with --quiet it says where the run is and how to go on',
    async (signal) => {
      const { suite: tiny, out } = tinySuite();
      const { child, ended } = moabench(['run', tiny, '--out', out, '--quiet']);
      const log = join(out, 'records.jsonl');
      while (!(existsSync(log) && readFileSync(log, 'utf8').split('\n').length > 3) && child.exitCode === null) await setTimeout(5);
      child.kill(signal);
      const run = await ended;
      expect(run).toMatchObject({ code: 130, signal: null, stdout: '' });
      expect(sentence(run)).toBe(
        `The run is in ${out}. Go on with: moabench run ${tiny} --out ${out} --resume\nerror: Stopped on request\n`,
      );
    },
  );
});

describe('output that cannot be written', () => {
  /** With standard output (or error) on a file of that name. */
  async function writingTo(path: string, args: readonly string[], stream: 1 | 2 = 1): Promise<{ code: number | null; other: string }> {
    const descriptor = openSync(path, 'w');
    const child = spawn(process.execPath, ['dist/cli/main.js', ...args], {
      stdio: stream === 1 ? ['ignore', descriptor, 'pipe'] : ['ignore', 'pipe', descriptor],
    });
    let other = '';
    for (const pipe of [child.stdout, child.stderr])
      pipe?.on('data', (data: Buffer) => {
        other += data;
      });
    const code = await new Promise<number | null>((resolve) => {
      child.on('close', resolve);
    });
    closeSync(descriptor);
    return { code, other };
  }

  test('a full disk behind standard output is one sentence and 1', async () => {
    expect(await writingTo('/dev/full', ['data', 'list'])).toEqual({
      code: 1,
      other: 'error: Could not write standard output: the disk is full\n',
    });
  });

  test('without standard error the results are still there', async () => {
    expect(await writingTo('/dev/full', ['data', 'list'], 2)).toMatchObject({ code: 0, other: expect.stringContaining('generated tasks') });
    expect(await writingTo('/dev/full', ['plan', 'inspect', 'none.json'], 2)).toEqual({ code: 2, other: '' });
  });

  test('a file above the limit on sizes', () => {
    const plan = 'test/fixtures/plans/gradientai--Llama-3-8B-Instruct-262k.moa.json';
    const command = `ulimit -f 1; exec ${process.execPath} dist/cli/main.js plan convert ${plan} --kv-heads 8 --out ${join(folder, 'big.json')}`;
    expect(() => execFileSync('bash', ['-c', command], { stdio: 'pipe', encoding: 'utf8' })).toThrow(
      expect.objectContaining({
        status: 1,
        stderr: expect.stringMatching(/^error: Could not write .*big\.json: the file would be larger than allowed\n {2}hint: .*\n$/),
      }),
    );
    expect(existsSync(join(folder, 'big.json'))).toBe(false);
  });

  test('--out where the kernel makes no folder', async () => {
    const run = await moabench(['run', suite, '--out', '/proc/moabench/run', '--quiet']).ended;
    expect(run).toMatchObject({ code: 1, stdout: '' });
    expect(sentence(run)).toMatch(/^error: Could not create \/proc\/moabench\/run: /);
  });
});

describe('what is printed', () => {
  test('shows control characters and marks of direction of arguments and files', async () => {
    const run = await moabench(['plan', 'inspect', 'none\u001b[31m\u202e.json']).ended;
    expect(run).toMatchObject({ code: 2, stderr: expect.stringContaining('none\\u001b[31m\\u202e.json') });
    const label = suiteFile('label.yaml', dense(', { id: a, method: streaming, density: 0.5, label: "\\e[31mred\\u202e" }'));
    const report = await moabench(['run', label, '--out', join(folder, 'label'), '--quiet']).ended;
    expect(report).toMatchObject({ code: 0, stdout: expect.stringContaining('\\u001b[31mred\\u202e') });
    expect(report.stdout).not.toMatch(/[\u001b\u202e]/);
  });
});

describe('what a command was not meant for', () => {
  test('report of a folder of runs names them', async () => {
    mkdirSync(join(folder, 'runs', 'a-20250101-000000'), { recursive: true });
    writeFileSync(join(folder, 'runs', 'a-20250101-000000', 'records.jsonl'), '');
    const run = await moabench(['report', 'runs'], folder).ended;
    expect(run).toMatchObject({ code: 2, stdout: '' });
    expect(sentence(run)).toContain('There are runs in it: runs/a-20250101-000000. Name one of them.');
  });

  test('lint of a published plan says how to convert it', async () => {
    const run = await moabench(['plan', 'lint', 'test/fixtures/plans/gradientai--Llama-3-8B-Instruct-262k.moa.json']).ended;
    expect(run).toMatchObject({ code: 2, stdout: '' });
    expect(sentence(run)).toContain('moabench plan convert');
  });

  test.each(['plan inspect', 'plan lint', 'run'])('%s of a pipe ends at once', async (command) => {
    const pipe = join(folder, `pipe-${command.replace(' ', '-')}`);
    execFileSync('mkfifo', [pipe]);
    const run = await moabench([...command.split(' '), pipe]).ended;
    expect(run).toMatchObject({ code: 2, stdout: '' });
    expect(sentence(run)).toContain('received a named pipe');
  });
});
