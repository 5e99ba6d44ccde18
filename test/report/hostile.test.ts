import { describe, expect, it } from 'vitest';
import type { RunRecord } from '../../src/records/record.ts';
import { makeReport } from '../../src/report/write.ts';
import { HOSTILE_LABELS, hostileRun } from './hostile-run.ts';
import { syntheticEnvironment, syntheticRecords, syntheticSuite } from './synthetic-run.ts';

describe('labels that are something else elsewhere', async () => {
  const { files } = await makeReport({ ...hostileRun(), environment: syntheticEnvironment });
  const page = files.get('report.html') ?? '';
  const markdown = files.get('report.md') ?? '';

  it('are text in the page, whose policy lets nothing else in', () => {
    expect(page).toContain('<meta http-equiv="Content-Security-Policy" content="default-src &#39;none&#39;; script-src');
    expect(page).not.toContain('<img');
    expect(page.match(/<script/g)).toHaveLength(5);
    expect(page).not.toMatch(/[\u202e\u2028\u001b]/);
    expect(page).toContain('&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;');
  });

  it('are text in Markdown', () => {
    const images = Array.from(markdown.matchAll(/!\[/g)).length;
    const charts = [...files.keys()].filter((name) => name.endsWith('.svg')).length;
    expect(Array.from(markdown.matchAll(/^!\[.*[^\\]\]\(charts\/[\w.-]+\.svg\)$/gm))).toHaveLength(charts);
    expect(images).toBeGreaterThan(charts);
    expect(markdown).not.toMatch(/^# heading/m);
    expect(markdown).not.toMatch(/(?<!\\)<|[^\\]\]\(http|http:\/\/|[\u202e\u2028\u001b]/);
  });

  it('leave every chart a picture', () => {
    for (const [name, text] of files) if (name.endsWith('.svg')) expect(text, name).toMatch(/^<svg/);
    for (const label of HOSTILE_LABELS.slice(0, 2)) expect(files.get('charts/retrieval.svg')).toContain(`${label} (`);
  });
});

describe('records that no run makes', () => {
  const suite = syntheticSuite({ samples: 2, methods: ['dense', 'moa-25'] });
  const records = syntheticRecords(suite);
  const change = <K extends RunRecord['kind']>(
    kind: K,
    edit: (record: Extract<RunRecord, { kind: K }>) => RunRecord,
  ): readonly RunRecord[] => records.map((record) => (record.kind === kind ? edit(record as Extract<RunRecord, { kind: K }>) : record));
  let n = 0;

  it.each([
    [
      '1e308 ms',
      change('measurement', (r) => ({ ...r, samplesMs: r.samplesMs.map(() => 1e308) })),
      'numbers of at most 1000000000000000 for a record of kind measurement',
    ],
    ['a loss of 1e308', change('loss', (r) => ({ ...r, sumLoss: -1e308 })), 'for a record of kind loss but received -1e+308'],
    [
      '1e-308 ms',
      change('measurement', (r) => ({ ...r, samplesMs: r.samplesMs.map(() => 1e-308) })),
      'timings of at least 1e-9 ms for prefill of dense at 2048 tokens',
    ],
    [
      '300,000 rounds',
      change('measurement', (r) => ({ ...r, samplesMs: Array(300_000).fill(1) })),
      'at most 10000 rounds for prefill of dense at 2048 tokens but received 300000',
    ],
    [
      '1,000 categories',
      Array.from({ length: 1000 }, () => records.find((r) => r.kind === 'sample')).flatMap((r) =>
        r?.kind === 'sample' ? [{ ...r, category: `c${n++}` }] : [],
      ),
      'at most 64 categories for the records but received 1000',
    ],
    [
      '128,000 rules',
      change('plan', (r) => ({ ...r, plan: { ...r.plan, model: { ...r.plan.model, layers: 1000, kvHeads: 128 } } })),
      'at most 16384 KV heads for the plan plans/dense.json but received 128000',
    ],
  ])('are refused in a sentence: %s', async (_, edited, message) => {
    await expect(makeReport({ records: edited, suite, environment: null })).rejects.toMatchObject({
      code: 'INVALID_FILE',
      message: expect.stringContaining(message),
    });
  });
});
