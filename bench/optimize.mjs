// Time and gaps of the optimizer on a synthetic model: node bench/optimize.mjs [layers] [kvHeads] [budget] [betaSteps], after npm run build.
// The default is Vicuna-7B's size with the released 48 rules, 3 objectives and 4 density constraints (target: 120 s on 2 cores, gaps <= 0.5%).
import { optimize } from '../dist/compress/optimize/optimize.js';
import { candidateRules } from '../dist/compress/optimize/rules.js';
import { syntheticLossTables } from '../dist/compress/optimize/synthetic.js';

const [layers = 32, kvHeads = 32, budget = 0.5, betaSteps = 8] = process.argv.slice(2).map(Number);
const profileLengths = [2048, 4096, 8192];
const constraintLengths = [2048, 4096, 8192, 16384];
const heterogeneity = 'elastic';
const rules = candidateRules({ heterogeneity, profileLengths, constraintLengths, budget, betaSteps });
const lossTables = syntheticLossTables({ seed: 1, layers, kvHeads, profileLengths, rules });
const front = await optimize({
  profileLengths,
  lossTables,
  rules,
  constraintLengths,
  budget,
  sink: 64,
  layers,
  kvHeads,
  heterogeneity,
  onProgress: ({ done, total }) => process.stderr.write(`\r${done}/${total} solves`),
});
process.stderr.write('\n');
console.log(
  JSON.stringify({
    layers,
    kvHeads,
    rules: rules.length,
    budget,
    seconds: Number(front.seconds.toFixed(1)),
    solves: front.solves,
    points: front.points.length,
    largestGap: Math.max(...front.points.map(({ gap }) => gap)),
    leastDensity: Math.min(...front.points.flatMap(({ densities }) => Object.values(densities))),
  }),
);
