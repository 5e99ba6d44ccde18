import { expect, it } from 'vitest';
import { answers } from '../../src/report/answer.ts';
import { makeReport } from '../../src/report/write.ts';
import { summarize } from '../../src/summary/summarize.ts';
import type { Summary } from '../../src/summary/summary.ts';
import { syntheticEnvironment, syntheticRecords, syntheticSuite } from './synthetic-run.ts';

const suite = syntheticSuite({ samples: 12 });
const records = syntheticRecords(suite);
const summary = summarize({ records, suite });

const small = syntheticSuite({ samples: 12, methods: ['dense', 'uniform-25', 'moa-25'] });
const stopped = syntheticRecords(small).filter((record) => record.kind !== 'outcome' || record.cellId !== 'maxBatch/4096/dense');
const { files, summary: told } = await makeReport({ records: stopped, suite: small, environment: syntheticEnvironment });

it('says for each budget whether its freest method beats the uniform mask, by how much, at what memory, and how sure that is', () => {
  const [half, quarter, ...more] = answers(summary);
  expect(more).toEqual([]);
  expect(half?.claim).toMatch(/^MoA 50% is better than Uniform 50%, a uniform mask of the same memory: with /);
  const contrast = summary.contrasts.find(({ method, paired }) => method === 'moa-25' && paired.other === 'uniform-25');
  const share = (id: string, field: 'mean' | 'memory'): string => {
    const method = summary.methods.find((own) => own.id === id);
    const memory = method?.kvBytes.at(-1)?.ratioToBaseline ?? 0;
    return field === 'mean' ? `${(100 * (method?.retrieval?.mean?.estimate ?? 0)).toFixed(0)}%` : `${(100 * memory).toFixed(1)}%`;
  };
  expect(quarter?.claim).toBe(
    `MoA 25% is better than Uniform 25%, a uniform mask of the same memory: with ${share('moa-25', 'memory')} of Dense's KV memory it answers ${share('moa-25', 'mean')} of the retrieval questions right, the mask ${share('uniform-25', 'mean')}${share('moa-25', 'memory') === share('uniform-25', 'memory') ? '' : ` with ${share('uniform-25', 'memory')}`}.`,
  );
  const { delta, gained, lost } = contrast?.paired ?? { delta: { estimate: 0, low: 0, high: 0, n: 0 }, gained: 0, lost: 0 };
  expect(quarter?.evidence[0]).toContain(`${(100 * delta.estimate).toFixed(1)} points [`);
  expect(quarter?.evidence[0]).toContain(
    `on the same ${delta.n} questions, of which it gained ${gained} and lost ${lost}: chance is an unlikely reason (Holm-`,
  );
  expect(quarter?.evidence[1]).toMatch(/^Beside Dense: /);
  expect(quarter?.evidence[2]).toMatch(/^Of Dense's mean score over 6 long-context tasks, MoA 25% keeps .*, Uniform 25% keeps /);
  expect(quarter?.evidence[3]).toMatch(
    /^Decoding at 8,192 tokens of context, batch 4, it makes .*x \[.*\] the tokens per second of Dense and .*x \[.*\] of Uniform 25%\.$/,
  );
});

it('calls nothing better that chance may have made, and nothing worse better', () => {
  const changed = (pHolm: number, sign: number): Summary => ({
    ...summary,
    contrasts: summary.contrasts.map((contrast) => ({
      ...contrast,
      paired: { ...contrast.paired, pHolm, delta: { estimate: 0.02 * sign, low: 0.02 * sign - 0.01, high: 0.02 * sign + 0.01, n: 48 } },
    })),
  });
  expect(answers(changed(0.3, 1))[0]?.claim).toContain(
    'MoA 50% and Uniform 50%, a uniform mask of the same memory, cannot be told apart: ',
  );
  expect(answers(changed(0.3, 1))[0]?.evidence[0]).toContain('chance may have made it (Holm-adjusted p = 0.30');
  expect(answers(changed(0.01, -1))[0]?.claim).toContain('MoA 50% is worse than Uniform 50%');
});

it('turns a comparison that was made from the side of the mask', () => {
  const flipped: Summary = {
    ...summary,
    contrasts: summary.contrasts
      .filter(({ method, paired }) => method === 'moa-25' && paired.other === 'uniform-25')
      .map((contrast) => ({
        ...contrast,
        method: 'uniform-25',
        paired: { ...contrast.paired, other: 'moa-25', lost: 9, gained: 1, delta: { estimate: -0.2, low: -0.3, high: -0.1, n: 48 } },
      })),
  };
  const [answer] = answers(flipped);
  expect(answer?.claim).toContain('MoA 25% is better than Uniform 25%');
  expect(answer?.evidence[0]).toContain(
    '20.0 points [10.0, 30.0] (95% interval) on the same 48 questions, of which it gained 9 and lost 1',
  );
});

it('without scores says what was timed, at what memory, and that nothing is known of quality', () => {
  const timed = records.filter(({ kind }) => kind !== 'sample' && kind !== 'loss');
  const of = answers(summarize({ records: timed, suite }));
  const moa = of.find(({ claim }) => claim.includes('MoA 25%'));
  expect(moa?.claim).toMatch(
    /^With 25\.\d% of Dense's KV memory, MoA 25% was measured beside Dense: decoding at 8,192 tokens of context, batch 4, it makes .*x \[/,
  );
  expect(moa?.evidence).toEqual(['No answers were scored in this run: it says nothing of quality.']);
  expect(moa?.claim).toMatch(/ of Dense and .*x \[.*\] of Uniform 25%\.$/);
  expect(of.some(({ claim }) => claim.includes('Uniform 25% was measured'))).toBe(false);
});

it('says nothing where nothing was compared, and stands first in both reports, after what threatens it', () => {
  const only = records.filter(({ kind }) => kind === 'run' || kind === 'plan');
  expect(answers(summarize({ records: only, suite }))).toEqual([]);
  const [claim] = answers(told).map((answer) => answer.claim);
  const page = (files.get('report.html') ?? '').replaceAll('&#39;', "'");
  const orders = [
    ['<h2 id="threats-title">Read this first</h2>', claim ?? '', '<table class="headline"', '<section id="findings">'].map((part) =>
      page.indexOf(part),
    ),
    ['\n## Read this first\n', `\n**${claim}**\n`, '| Method | KV memory |', '\n## Findings\n'].map((part) =>
      (files.get('report.md') ?? '').indexOf(part),
    ),
  ];
  for (const places of orders) {
    expect(Math.min(...places)).toBeGreaterThan(0);
    expect(places).toEqual(places.toSorted((a, b) => a - b));
  }
});
