import { mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MoaError } from '../../src/core/errors.ts';
import { loadSuite, parseSuite } from '../../src/suite/load.ts';

const GOOD = `# comment
version: 1
name: quick
model: { path: models/reference }
methods:
  - { id: dense, method: dense }
  - { id: moa-50, method: moa, density: 0.5 }
compress:
  calibration: { tasks: [summary] }
  profileLengths: [1024]
  constrainLengths: [1024, 2048]
  validate: { length: 3072 }
quality:
  retrieval: { lengths: [1024], samples: 4 }
`;

function messageOf(text: string, options = {}): string {
  try {
    parseSuite(text, 's.yaml', options);
  } catch (error) {
    expect(error).toBeInstanceOf(MoaError);
    return (error as MoaError).message;
  }
  return 'no error';
}

describe('parseSuite', () => {
  it('fills in the defaults', () => {
    const suite = parseSuite(GOOD, 's.yaml');
    expect(suite.methods[1]).toEqual({
      id: 'moa-50',
      method: 'moa',
      density: 0.5,
      heterogeneity: 'elastic',
      criterion: 'joint',
    });
    expect(suite.compress?.calibration).toEqual({ tasks: ['summary'], samplesPerLength: 6, answerTokens: 64 });
    expect(suite).toMatchObject({
      seed: 1,
      backend: { name: 'cpu', graph: 'on' },
      report: { baseline: 'dense' },
      model: { kvDType: 'f32' },
    });
  });

  it.each([
    ['density: 0.5', 'density: 1.5', 's.yaml:7:41 methods[1].density: Expected a number in (0, 1] but received 1.5'],
    ['density: 0.5', 'densty: 0.5', 's.yaml:7:32 methods[1].densty: Unknown key "densty" (Did you mean "density"?)'],
    ['quality:', 'quailty:', 's.yaml:13:1 quailty: Unknown key "quailty"'],
    [
      'method: dense',
      'method: dens',
      's.yaml:6:26 methods[0].method: Expected one of "dense", "streaming", "moa", "plan" but received "dens"',
    ],
    ['samples: 4', 'samples: many', 's.yaml:14:42 quality.retrieval.samples: Expected a number but received "many"'],
    [', samples: 4', '', 's.yaml:14:14 quality.retrieval.samples: Expected a number but it is missing'],
    [
      '[1024, 2048]',
      '[2048, 1024]',
      's.yaml:11:21 compress.constrainLengths: Expected ascending, distinct lengths but received [2048,1024]',
    ],
    ['id: moa-50', 'id: dense', 's.yaml:7:11 methods[1].id: Expected unique method ids but received "dense" again'],
    [
      'quality:',
      'report: { baseline: full }\nquality:',
      's.yaml:13:21 report.baseline: Expected one of the method ids (dense, moa-50) but received "full"',
    ],
    [
      'quality:',
      'efficiency: { decode: { lengths: [256, 512], newTokens: 256 } }\nquality:',
      's.yaml:13:35 efficiency.decode.lengths[0]: Expected at least 258 (newTokens + 2: the prompt lies within the length) but received 256',
    ],
    ['version: 1', 'version: 2', 's.yaml:2:10 version: Expected 1 but received 2'],
    ['name: quick', 'name: quick\nname: again', 's.yaml:4:1 Map keys must be unique'],
    ['[1024]', '[1024', 's.yaml:'],
    ['name: quick', 'name: *gone', 's.yaml:3:7 Expected the anchor &gone before its alias'],
  ])('says where: %s -> %s', (from, to, expected) => {
    expect(messageOf(GOOD.replace(from, to))).toContain(expected);
  });

  it.each([
    [GOOD.replace('id: dense', 'id: full'), 'full'],
    [GOOD.replace('  - { id: dense, method: dense }\n', ''), 'moa-50'],
    [`${GOOD}report: { baseline: moa-50, title: T }\n`, 'moa-50'],
  ])('compares with the first dense method, else the first, unless told %#', (text, baseline) => {
    expect(parseSuite(text, 's.yaml').report).toMatchObject({ baseline });
  });

  it('takes the shortest context that holds a prompt and the new tokens', () => {
    expect(messageOf(`${GOOD}efficiency: { decode: { lengths: [258], newTokens: 256 } }\n`)).toBe('no error');
  });

  it('names every problem at once', () => {
    const message = messageOf(GOOD.replace('density: 0.5', 'density: 0').replace('samples: 4', 'samples: 0'));
    expect(message.split('\n')).toEqual([
      's.yaml has 2 problems:',
      's.yaml:7:41 methods[1].density: Expected a number in (0, 1] but received 0',
      's.yaml:14:42 quality.retrieval.samples: Expected a number of at least 1 but received 0',
    ]);
  });

  it('refuses unknown tasks with their line when told the known ones', () => {
    expect(messageOf(GOOD, { generatedTasks: ['lines', 'summry', 'code'] })).toBe(
      's.yaml:9:26 compress.calibration.tasks[0]: Expected one of "lines", "summry", "code" but received "summary"',
    );
    expect(messageOf(GOOD, { generatedTasks: ['lines', 'summary'] })).toBe('no error');
  });

  it('refuses an alias bomb', () => {
    const bomb = `a: &a [1,1,1,1,1,1,1,1,1,1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\n`;
    expect(messageOf(bomb)).toContain('Could not parse the YAML');
  });

  const many = (count: number, make: (i: number) => string): string => Array.from({ length: count }, (_, i) => make(i)).join('');
  it.each([
    ['brackets', '['.repeat(200_000), 's.yaml:1:1 Expected lists and maps at most 50 deep but received deeper ones'],
    ['nested dashes', '- '.repeat(100_000), 's.yaml:1:1 Expected lists and maps at most 50 deep but received deeper ones'],
    ['aliases', `a: &a 1\nb: [${many(101, () => '*a,')}]`, 's.yaml:2:305 Expected at most 100 aliases but received more'],
    ['entries', `a: &a 1\nb: [${many(60_000, () => '*a,')}]`, 's.yaml:1:1 Expected at most 20000 lines and entries but received more'],
    ['problems', many(5000, (i) => `k${i}: 1\n`), 's.yaml has more than 20 problems, first:'],
    ['bytes', ' '.repeat(2 ** 18 + 1), 's.yaml:1:1 Expected at most 262144 characters but received 262145'],
    [
      'cells',
      GOOD.replace(
        / {2}- \{ id: dense.*\n/,
        many(200, (i) => `  - { id: a${i}, method: dense }\n`),
      ).replace('lengths: [1024], samples', `lengths: [${many(50, (i) => `${1000 + i},`)}], samples`),
      'Expected a suite of at most 10000 cells in s.yaml but received 10251',
    ],
  ])('bounds %s', (_, text, expected) => {
    expect(messageOf(text)).toContain(expected);
  });

  it('takes merge keys, and says that a file is one document', () => {
    const merged = GOOD.replace(
      '  - { id: dense, method: dense }',
      '  - &first { id: dense, method: dense }\n  - { <<: *first, id: again, label: Again }',
    );
    expect(parseSuite(merged, 's.yaml').methods[1]).toEqual({ id: 'again', method: 'dense', label: 'Again' });
    expect(messageOf(`${GOOD}---\n${GOOD}`)).toMatch(/^s\.yaml:15:1 Expected one document but received several/);
  });

  it('shows how a backend is named', () => {
    expect(() => parseSuite(`${GOOD}backend: gpu\n`, 's.yaml')).toThrow(
      expect.objectContaining({
        message: 's.yaml:15:10 backend: Expected a map of keys but received "gpu"',
        hint: 'Write backend: { name: cpu } or backend: { name: cuda } or backend: { name: tfjs }.',
      }),
    );
  });

  it('gives a typed error or a suite for any mutation of a good file', () => {
    const edit = fc.tuple(
      fc.nat(GOOD.length),
      fc.nat(12),
      fc.oneof(
        fc.string({ maxLength: 6 }),
        fc.constantFrom('- ', ': ', '{', ']', '&a ', '*a', '!!x ', '"', '\n', '\t', 'null', '-1', '.nan', '.inf', '1e99'),
      ),
    );
    fc.assert(
      fc.property(fc.array(edit, { minLength: 1, maxLength: 3 }), (edits) => {
        const text = edits.reduce((t, [at, cut, add]) => t.slice(0, at) + add + t.slice(at + cut), GOOD);
        try {
          expect(parseSuite(text, 's.yaml').version).toBe(1);
        } catch (error) {
          expect(error).toBeInstanceOf(MoaError);
          expect(error).toMatchObject({ code: 'INVALID_FILE' });
          expect((error as MoaError).message).toMatch(/^s\.yaml(:\d+:\d+ | has \d+ problems:\n)/);
        }
      }),
      { numRuns: 200 },
    );
  });

  it('gives a typed error or a suite for any data', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const message = messageOf(JSON.stringify(value));
        expect(message).toMatch(/^s\.yaml(:\d+:\d+ | has \d+ problems:\n)/);
      }),
      { numRuns: 100 },
    );
  });
});

describe('what would do nothing', () => {
  const retrieval = (text: string): string =>
    messageOf(GOOD.replace('retrieval: { lengths: [1024], samples: 4 }', `retrieval: { lengths: [1024], samples: 4, ${text} }`));
  const files = 'source: { kind: longeval, files: [{ path: a.jsonl, length: 1024 }] }';

  it.each([
    [retrieval(files), /^no error$/],
    [retrieval(`${files}, task: lines`), /^no error$/],
    [
      retrieval(`${files}, task: needle`),
      /quality\.retrieval\.task: Expected "lines", which is what LongEval files hold, but received "needle"/,
    ],
    [
      retrieval(files.replace(' }]', ' }, { path: b.jsonl, length: 2048 }]')),
      /files\[1\]\.length: Expected one of quality\.retrieval\.lengths but received 2048/,
    ],
    [messageOf(`${GOOD}backend: { name: cuda, threads: 4 }\n`), /backend\.threads: Expected the backend cpu for threads but received cuda/],
    [messageOf(GOOD.replace(/ {2}- .*method: moa.*\n/, '')), /compress: Expected a moa method because no other method reads this section/],
    [messageOf(`${GOOD}backend: { name: cpu, device: 1 }\n`), /backend\.device: Expected the backend cuda for device but received cpu/],
  ])('is refused: %s', (message, expected) => {
    expect(message).toMatch(expected);
  });
});

describe('loadSuite', () => {
  it('has the same hash whatever the comments and the order of keys', () => {
    const folder = mkdtempSync(join(tmpdir(), 'suite-'));
    const write = (name: string, text: string): string => {
      writeFileSync(join(folder, name), text);
      return join(folder, name);
    };
    const a = loadSuite(write('a.yaml', GOOD));
    const b = loadSuite(write('b.yaml', GOOD.replace('# comment\n', '').replace('id: dense, method: dense', 'method: dense, id: dense')));
    const c = loadSuite(write('c.yaml', GOOD.replace('samples: 4', 'samples: 5')));
    expect(a.folder).toBe(folder);
    expect(b.hash).toBe(a.hash);
    expect(c.hash).not.toBe(a.hash);
  });

  it('says which file does not exist', () => {
    expect(() => loadSuite('/no/such/suite.yaml')).toThrow('Could not read /no/such/suite.yaml: it does not exist');
  });
});

describe('paths of a suite', () => {
  const root = mkdtempSync(join(tmpdir(), 'outside-'));
  const home = join(root, 'home');
  mkdirSync(home);
  symlinkSync('/etc/passwd', join(home, 'linked.json'));
  symlinkSync('/etc', join(home, 'etc'));
  writeFileSync(join(root, 'beside.json'), '{}');
  const suiteOf = (lines: string): string => {
    const path = join(home, 's.yaml');
    writeFileSync(path, lines);
    return path;
  };
  const plan = (path: string): string =>
    GOOD.replace('  - { id: moa-50, method: moa, density: 0.5 }', `  - { id: p, method: plan, path: ${path} }`).replace(
      /compress:\n( {2}.*\n)+/,
      '',
    );
  const longEval = (path: string): string =>
    GOOD.replace('lengths: [1024]', `lengths: [1024], source: { kind: longeval, files: [{ path: ${path}, length: 1024 }] }`);
  const longBench = (folder: string): string =>
    `${GOOD}  longbench: { tasks: [qasper, passwd], length: 1024, samples: 1, source: { kind: longbench, folder: ${folder} } }\n`;

  it.each([
    ['a plan', plan('/etc/passwd'), 's.yaml:7:34 methods[1].path: '],
    ['a process', plan('/proc/self/environ'), 'methods[1].path: '],
    ['a plan by a link', plan('linked.json'), 'methods[1].path: '],
    ['a plan below a link', plan('etc/none.json'), 'methods[1].path: '],
    ['a plan beside', plan('../beside.json'), 'methods[1].path: '],
    ['LongEval cases', longEval('/etc/passwd'), 'quality.retrieval.source.files[0].path: '],
    ['a LongBench folder', longBench('etc'), 'quality.longbench.source.folder: '],
  ])('that name %s outside are refused with their line, unless it is allowed', (_, text, place) => {
    const path = suiteOf(text);
    expect(() => loadSuite(path, { allowOutside: false })).toThrow(
      expect.objectContaining({
        code: 'INVALID_FILE',
        message: expect.stringContaining(`${place}Expected a path inside the suite's folder or the working folder but received `),
      }),
    );
    expect(loadSuite(path, { allowOutside: true }).suite.name).toBe('quick');
  });

  it.each([['plan.json'], ['./new/plan.json'], [`${process.cwd()}/plan.json`], ['..plan.json']])(
    'may name %s, which lies inside',
    (path) => {
      expect(loadSuite(suiteOf(plan(path)), { allowOutside: false }).suite.methods[1]).toMatchObject({ path });
    },
  );
});
