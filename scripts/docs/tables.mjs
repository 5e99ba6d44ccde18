// Every generated block by its name. `from` is the path to the root from the folder of the document that has the block, for links.
import { cpuKernels, optimizer, versusPytorch } from './bench-tables.mjs';
import { cudaKernels } from './cuda-kernels.mjs';
import { cudaConformance, cudaParity, cudaProfiling, cudaSteps } from './cuda-steps.mjs';
import { gpuSuites, headlineTable, releasedSummary, terminalBlock, verdicts } from './suite-tables.mjs';

/** The methods of the reference suite that README.md shows: dense, and a uniform mask and MoA at each of two budgets. */
export const FIVE_METHODS = ['dense', 'uniform-50', 'moa-50', 'uniform-25', 'moa-25'];
const FIVE_COLUMNS = ['KV memory', 'Retrieval', 'Effective context', 'Task scores', 'Answer loss'];

const TIMES = ['Decode speed', 'Decode per GB', 'Prefill speed', 'Largest batch'];

export const TABLES = {
  'five-rows': (root) => headlineTable(releasedSummary(root, 'reference'), { methods: FIVE_METHODS, columns: FIVE_COLUMNS }),
  quick: (root) => terminalBlock(root, 'quick', { sentences: 4 }),
  reference: (root) => headlineTable(releasedSummary(root, 'reference'), { from: '../' }),
  'reference-times': (root) => headlineTable(releasedSummary(root, 'reference-times'), { columns: TIMES, from: '../' }),
  'reference-verdicts': (root) => verdicts(root, 'reference'),
  'cuda-reference': (root) => headlineTable(releasedSummary(root, 'cuda-reference'), { from: '../' }),
  'gpu-suites': gpuSuites,
  'versus-pytorch': versusPytorch,
  'cpu-kernels': cpuKernels,
  optimizer,
  'cuda-kernels': cudaKernels,
  'cuda-steps': cudaSteps,
  'cuda-profiling': cudaProfiling,
  'cuda-parity': cudaParity,
  'cuda-conformance': cudaConformance,
};
