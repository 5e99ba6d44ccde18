import { expect, test } from 'vitest';
import { agreementText } from '../../src/cli/commands/verify-model.ts';
import type { AgreementRow } from '../../src/evaluate/agreement/compare-models.ts';

const row: AgreementRow = {
  dtype: 'bf16',
  samples: 96,
  equal: 94,
  ties: 1,
  different: [
    { task: 'multi_qa', length: 2048, index: 41, token: 0, gap: 0.0034, isTie: true },
    { task: 'lines', length: 1024, index: 3, token: 7, gap: 0.2, isTie: false },
  ],
  influence: {
    samples: [],
    lengths: [{ length: 1024, samples: 16, loss: 0.001, elementwise: 0.004, elementwiseSink: 0.006, joint: 0.09 }],
  },
  faults: ['joint at 1024 tokens is 9.0e-2 off, more than 0.05'],
};

test('agreement is a line a dtype, with what differs, distances by length, and what is outside its limit', () => {
  expect(
    agreementText({ backend: 'cuda: H100', reference: 'cpu: 2 threads' }, [row, { ...row, dtype: 'f32', faults: [], different: [] }]),
  ).toBe(
    [
      'backend    cuda: H100',
      'reference  cpu: 2 threads',
      'FAIL bf16: 94 of 96 answers are equal, 1 of the others a tie',
      '     multi_qa 2048, sample 41: token 0, logits 3.4e-3 apart',
      '     lines 1024, sample 3: token 7, logits 2.0e-1 apart',
      '     at 1024 tokens, over 16 samples: loss 1.0e-3 off, influence elementwise 4.0e-3, elementwiseSink 6.0e-3, joint 9.0e-2',
      'FAIL bf16: joint at 1024 tokens is 9.0e-2 off, more than 0.05',
      'pass f32: 94 of 96 answers are equal, 1 of the others a tie',
      '     at 1024 tokens, over 16 samples: loss 1.0e-3 off, influence elementwise 4.0e-3, elementwiseSink 6.0e-3, joint 9.0e-2',
    ].join('\n'),
  );
});
