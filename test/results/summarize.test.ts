import { writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { summarize } from '../../src/results/summarize.ts';
import { syntheticEnvironment, syntheticRecords, syntheticSuite } from '../report/synthetic-run.ts';

describe('x', () => {
  it('y', () => {
    const suite = syntheticSuite();
    const t = performance.now();
    const s = summarize({ records: syntheticRecords(suite), suite, environment: syntheticEnvironment });
    console.log(performance.now() - t);
    console.log(s.verdicts.join('\n'));
    console.log(s.checks.map((c) => `${c.status} ${c.id}: ${c.message}`).join('\n'));
    console.log(JSON.stringify(s.methods[3], null, 1).slice(0, 3500));
    console.log(JSON.stringify(s.methods.map((m) => [m.id, m.retrieval?.effectiveContext, m.kvBytes.map((k) => k.ratioToBaseline)])));
    writeFileSync('/tmp/summary.json', JSON.stringify(s));
    expect(1).toBe(1);
  });
});
