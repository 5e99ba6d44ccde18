import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { methodStyles } from '../../src/report/chart.ts';
import { speedCharts } from '../../src/report/charts/efficiency.ts';
import { makeReport, writeReport } from '../../src/report/write.ts';
import { type Summary, summarySchema } from '../../src/summary/summary.ts';
import { syntheticEnvironment, syntheticRecords, syntheticSuite } from './synthetic-run.ts';

const suite = syntheticSuite({ samples: 10, methods: ['dense', 'uniform-25', 'moa-25'] });
const records = syntheticRecords(suite);
const report = await makeReport({ records, suite, environment: syntheticEnvironment });

describe('makeReport', () => {
  const file = (path: string): string => report.files.get(path) ?? '';

  it('has every file that a run folder promises', () => {
    const paths = [...report.files.keys()];
    expect(paths).toEqual(expect.arrayContaining(['summary.json', 'report.md', 'report.html']));
    expect(paths.filter((path) => path.startsWith('csv/')).sort()).toEqual(
      [
        'capacity',
        'contrasts',
        'depth',
        'families',
        'losses',
        'memory',
        'methods',
        'perplexity',
        'retrieval',
        'samples',
        'scores',
        'speed-contrasts',
        'speed',
        'timings',
      ].map((name) => `csv/${name}.csv`),
    );
    expect(paths.filter((path) => path.endsWith('.svg')).sort()).toEqual(
      [
        'ablation-1',
        'capacity',
        'cost',
        'decode',
        'depth-dense',
        'depth-moa-25',
        'depth-uniform-25',
        'elastic-moa-25',
        'elastic-uniform-25',
        'front-moa-25',
        'memory',
        'prefill',
        'retrieval',
        'rounds-decode-4096x1',
        'rounds-decode-4096x4',
        'rounds-decode-8192x1',
        'rounds-decode-8192x4',
        'rounds-prefill-2048',
        'rounds-prefill-4096',
        'scores',
        'spans-moa-25',
        'spans-uniform-25',
        'tradeoff',
      ].map((name) => `charts/${name}.svg`),
    );
    for (const path of paths.filter((p) => p.endsWith('.svg'))) expect(report.files.has(path.replace(/svg$/, 'vl.json'))).toBe(true);
    expect(summarySchema.parse(JSON.parse(file('summary.json')))).toEqual(report.summary);
  });

  it('lists the stretches of measuring, with code and load, in both reports', () => {
    const row = ['0123456789ab with uncommitted changes', 'synthetic, 2 threads', '0.31', '2.10'];
    expect(file('report.md')).toContain(`| 2025-03-01 12:00 UTC | ${row.join(' | ')} |`);
    expect(file('report.html')).toContain(`<td>2025-03-01 12:00 UTC</td>${row.map((cell) => `<td>${cell}</td>`).join('')}`);
  });

  it('draws what the summary says', () => {
    const spec = JSON.parse(file('charts/retrieval.vl.json')) as {
      data: { values: { method: string; length: number; accuracy: number }[] };
    };
    expect(spec.data.values.map(({ method, length, accuracy }) => [method, length, accuracy])).toEqual(
      report.summary.methods.flatMap((method) =>
        (method.retrieval?.lengths ?? []).map((at) => [method.label, at.length, at.accuracy.estimate]),
      ),
    );
    // Every point of every method is a symbol in the picture, besides those of the legend.
    const symbols = file('charts/retrieval.svg').match(/aria-roledescription="point"/g) ?? [];
    expect(symbols).toHaveLength(12);
    for (const path of report.files.keys()) if (path.endsWith('.svg')) expect(file(path)).not.toMatch(/NaN|undefined|var\(--/);
  });

  it('links only charts that exist, and prints n and intervals', () => {
    const markdown = file('report.md');
    const links = [...markdown.matchAll(/\]\((charts\/[^)]+)\)/g)].map((match) => match[1] ?? '');
    expect(links.length).toBe([...report.files.keys()].filter((path) => path.endsWith('.svg')).length);
    for (const link of links) expect(report.files.has(link)).toBe(true);
    expect(markdown).toMatch(/\| Dense \| 100% \| \d+% \[\d+, \d+\] \|/);
    expect(markdown).toMatch(/\(\d+\/10\)/);
    expect(markdown).not.toMatch(/NaN|undefined|null/);
  });

  it('has a csv row for every sample and every timing, numbers as numbers', () => {
    const rows = (name: string): number => file(`csv/${name}.csv`).trim().split('\n').length - 1;
    expect(rows('retrieval')).toBe(12);
    expect(rows('timings')).toBe(records.reduce((n, record) => n + (record.kind === 'measurement' ? record.samplesMs.length : 0), 0));
    const [head = '', ...lines] = file('csv/retrieval.csv').trim().split('\n');
    const column = head.split(',').indexOf('delta');
    const deltas = lines.map((line) => line.split(',')[column]).filter((text) => text !== '');
    expect(deltas.map(Number)).toEqual(
      report.summary.methods.flatMap((method) =>
        (method.retrieval?.lengths ?? []).flatMap((at) => (at.toBaseline === null ? [] : [at.toBaseline.delta.estimate])),
      ),
    );
    expect(deltas.some((text) => Number(text) < 0)).toBe(true);
  });

  it('links the files that lie beside it, from both reports, and nothing else', () => {
    const made = [...report.files.keys()].filter((path) => path.endsWith('.csv') || /^(summary\.json|report\.md)$/.test(path));
    const beside = ['records.jsonl', 'suite.json', 'environment.json', ...suite.methods.map(({ id }) => `plans/${id}.json`)];
    const wanted = [...new Set([...made, ...beside])].sort();
    const page = Array.from(file('report.html').matchAll(/<a (?:class="\w+" )?href="([^"#][^"]*)"/g), ([, path]) => path ?? '');
    expect([...new Set(page)].sort()).toEqual(wanted);
    const markdown = Array.from(file('report.md').matchAll(/^- \[[^\]]+\]\(([^)#]+)\): /gm), ([, path]) => path ?? '');
    expect(markdown.toSorted()).toEqual(wanted);
  });

  it('links the records by the name that they have', async () => {
    const only = records.filter((record) => record.kind === 'run' || record.kind === 'plan');
    const { files } = await makeReport({ records: only, suite, environment: null, recordsFile: 'records.jsonl.gz' });
    expect(files.get('report.html')).toContain('<a href="records.jsonl.gz">');
    expect(files.get('report.md')).toContain('- [records.jsonl.gz](records.jsonl.gz): ');
    for (const text of [files.get('report.html'), files.get('report.md')]) expect(text).not.toMatch(/records\.jsonl(?!\.gz)/);
  });

  it('has contents whose every entry is a heading there', () => {
    const ids = new Set(Array.from(file('report.html').matchAll(/ id="([^"]+)"/g), ([, id]) => id));
    const [nav = ''] = /<nav class="contents".*?<\/nav>/s.exec(file('report.html')) ?? [];
    const entries = Array.from(nav.matchAll(/href="#([^"]+)"/g), ([, id]) => id);
    expect(entries.length).toBeGreaterThan(12);
    for (const id of entries) expect(ids).toContain(id);
    const headings = Array.from(file('report.md').matchAll(/^## (.*)$/gm), ([, title]) => title);
    const [line = ''] = /^\[In short\]\(#in-short\).*$/m.exec(file('report.md')) ?? [];
    expect(Array.from(line.matchAll(/\[([^\]]+)\]\(#[\w-]+\)/g), ([, title]) => title)).toEqual(headings);
  });

  it('gives one page without an address on the network', () => {
    const page = file('report.html');
    expect(page).not.toMatch(/<(script|link|img|iframe)[^>]+(src|href)="(?!data:|#)/);
    expect(page.match(/<script/g)).toHaveLength(5);
  });
});

describe('makeReport of plans alone', async () => {
  const only = records.filter((record) => record.kind === 'run' || record.kind === 'plan');
  const { files } = await makeReport({ records: only, suite, environment: null });
  const file = (path: string): string => files.get(path) ?? '';

  it('has no table of nothing and no words about it', () => {
    expect(file('report.md')).not.toMatch(/Intervals are|\| Method \|\n/);
    expect(file('report.html')).not.toMatch(/<table class="headline"|Brackets are/);
    for (const path of ['report.md', 'report.html']) expect(file(path)).not.toContain('Environment');
  });
});

describe('speed charts', () => {
  it('explain pale bars only where there are some', () => {
    const captionsOf = (from: Summary): string[] => speedCharts(from, methodStyles(from)).map((chart) => chart.caption);
    expect(captionsOf(report.summary).every((caption) => caption.includes('Pale bars'))).toBe(true);
    const methods = report.summary.methods.map((method) => ({
      ...method,
      decode: method.decode.filter((speed) => speed.cache !== 'dynamic'),
      prefill: method.prefill.filter((speed) => speed.cache !== 'dynamic'),
    }));
    expect(captionsOf({ ...report.summary, methods })).toEqual(
      Array.from(
        { length: 2 },
        () => 'Typical time of interleaved rounds (their pseudomedian); whiskers are 95% intervals over 3 processes.',
      ),
    );
  });
});

describe('writeReport', () => {
  it('removes charts and tables of an earlier report and keeps the records', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'report-'));
    mkdirSync(join(folder, 'charts'));
    writeFileSync(join(folder, 'charts', 'old.svg'), 'old');
    writeFileSync(join(folder, 'records.jsonl'), 'kept');
    const only = records.filter((record) => record.kind === 'run' || record.kind === 'plan');
    const summary = await writeReport(folder, { records: only, suite, environment: null });
    expect(existsSync(join(folder, 'charts', 'old.svg'))).toBe(false);
    expect(readFileSync(join(folder, 'records.jsonl'), 'utf8')).toBe('kept');
    expect(JSON.parse(readFileSync(join(folder, 'summary.json'), 'utf8'))).toEqual(summary);
    expect(readFileSync(join(folder, 'report.html'), 'utf8')).toContain('Nothing was compared.');
  });
});
