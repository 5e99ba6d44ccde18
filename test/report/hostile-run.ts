import type { RunRecord } from '../../src/records/record.ts';
import type { Suite } from '../../src/suite/schema.ts';
import { syntheticRecords, syntheticSuite } from './synthetic-run.ts';

/** Labels that are something else to an object, a terminal, a page, a spreadsheet or Markdown. */
export const HOSTILE_LABELS = [
  'constructor',
  '__proto__',
  'toString',
  '\u2028break\u2029 \u202eflipped \u001b[31m',
  '</script><img src=x onerror=alert(1)>',
  '![x](http://127.0.0.1/x.png) [y](http://127.0.0.1) `z` | a\n# heading\n```',
  '=HYPERLINK("http://127.0.0.1")',
] as const;

/** A run whose methods have these labels, one after the other (all of them with up to seven labels). */
export function hostileRun(labels: readonly string[] = HOSTILE_LABELS): { readonly suite: Suite; readonly records: readonly RunRecord[] } {
  const made = syntheticSuite({ samples: 4 });
  const records = syntheticRecords(made).map((record) => {
    if (record.kind !== 'sample') return record;
    return {
      ...record,
      output: `${record.output}${labels.join('\n')}`,
      promptTail: labels.join('\n'),
      expected: [...record.expected, ...labels],
    };
  });
  const methods = made.methods.map((method, i) => ({ ...method, label: labels[i % labels.length] ?? '' }));
  return { suite: { ...made, description: labels.join(' '), methods }, records };
}
