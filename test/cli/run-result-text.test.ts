import { expect, test } from 'vitest';
import { runResultText } from '../../src/cli/run-result-text.ts';

test('what failed is said once, with its hint below, what was skipped its reason, what has too few samples their number', () => {
  const result = {
    folder: 'runs/a',
    completed: 2,
    failed: [
      { cellId: 'plan/lost', message: 'Could not read none.json: it does not exist', hint: 'Check the path.' },
      { cellId: 'plan/odd', message: 'unexpected', hint: null },
      { cellId: 'plan/lost-too', message: 'Could not read none.json: it does not exist', hint: 'Check the path.' },
    ],
    skipped: [{ cellId: 'retrieval/lines/512/lost', reason: 'method lost has no plan' }],
    short: ['a.jsonl has 3 of the 200 samples asked for (qasper, length 512).'],
  };
  expect(runResultText(result, '').split('\n')).toEqual([
    '2 cells completed, 3 failed, 1 skipped',
    '  failed  plan/lost: Could not read none.json: it does not exist',
    '          hint: Check the path.',
    '  failed  plan/lost-too: as plan/lost',
    '  failed  plan/odd: unexpected',
    '  skipped retrieval/lines/512/lost: method lost has no plan',
    '  short   a.jsonl has 3 of the 200 samples asked for (qasper, length 512).',
    'report: runs/a/report.html',
  ]);
});
