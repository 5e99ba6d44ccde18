// A method of our own: a pyramid. The first layer keeps three quarters of a prompt and the last one a quarter, the same for all heads of a layer:
// on average half of the dense KV memory. Writes pyramid.json, a plan that a suite runs like any other.
import { createBackend, densityAt, lintPlan, loadModel, planOfRules, savePlan } from 'moabench';

const LENGTHS = [1024, 2048, 4096];
/** Sixteenths of a prompt, by layer: whole blocks of 64 tokens at lengths that are multiples of 1,024, so that nothing is rounded up. */
const SIXTEENTHS = [12, 11, 10, 9, 7, 6, 5, 4];

const backend = await createBackend({ name: 'cpu' });
const model = await loadModel({ path: 'bundled:reference', backend });
const { layers, kvHeads } = model.config;
if (layers !== SIXTEENTHS.length) throw new Error(`Expected a model of ${SIXTEENTHS.length} layers but it has ${layers}`);

// span(N) = alpha + beta * N tokens for each layer and KV head.
const plan = planOfRules({
  name: 'pyramid',
  method: 'imported',
  model,
  alpha: Array.from({ length: layers }, () => new Array(kvHeads).fill(0)),
  beta: SIXTEENTHS.map((sixteenths) => new Array(kvHeads).fill(sixteenths / 16)),
  sink: 64,
  heterogeneity: 'layers',
  lengths: LENGTHS,
  provenance: { createdBy: 'pyramid.mjs' },
});
for (const { severity, message } of lintPlan(plan, { model: model.config })) console.log(`${severity}: ${message}`);
savePlan('pyramid.json', plan);
console.log(`pyramid.json: ${(100 * densityAt(plan, 2048)).toFixed(1)}% of the KV memory at 2,048 tokens`);
model.dispose();
await backend.dispose();
