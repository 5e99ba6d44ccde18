import { invalidArgument } from '../core/errors.ts';
import type { Ops } from '../native/backend.ts';
import { ReferenceTensor } from './reference-tensor.ts';

/** The outputs of each op, each with the input that it may be the same tensor as (null: none). */
const OUTPUTS: { readonly [Name in keyof Ops]: Readonly<Record<string, string | null>> } = {
  gemm: { out: null },
  embedding: { out: null },
  rmsNorm: { out: 'x', residual: null },
  rmsNormBackward: { gradX: 'gradOut' },
  rope: { q: null, k: null },
  siluMul: { out: null },
  siluMulBackward: { gradGateUp: null },
  add: { x: 'y' },
  copy: { out: null },
  fill: { out: null },
  fillUniform: { out: null },
  gatherRows: { out: null },
  scatterRows: { out: null },
  attentionPrefill: { out: null, logSumExp: null },
  cacheAppend: {},
  decodeAppend: { q: null, k: null },
  attentionDecode: { out: null },
  cacheAdvance: {},
  argmax: { out: null },
  logSoftmax: { out: null },
  crossEntropy: { losses: null, gradLogits: 'logits' },
  attentionBackward: { gradQ: null, gradK: null, gradV: null },
  influence: { elementwise: null, elementwiseSink: null, joint: null },
};

/** Refuses an output that shares memory with another tensor of the call, unless it is exactly the input that `OUTPUTS` allows. */
export function checkOutputsApart(op: keyof Ops, params: object): void {
  const tensors = Object.entries(params).filter((entry): entry is [string, ReferenceTensor] => entry[1] instanceof ReferenceTensor);
  for (const [output, mayBe] of Object.entries(OUTPUTS[op])) {
    const written = tensors.find(([name]) => name === output)?.[1];
    if (!written) continue;
    for (const [name, other] of tensors) {
      if (name === output || !written.overlaps(other) || (name === mayBe && written.isSameView(other))) continue;
      throw invalidArgument(`memory apart from ${name}`, output, 'a tensor that overlaps it');
    }
  }
}
