import { invalidArgument } from '../core/errors.ts';

/** Parts of a suite that a starter may have, by their names in it. */
export const STARTER_PARTS = ['retrieval', 'longbench', 'perplexity', 'efficiency'] as const;
export type StarterPart = (typeof STARTER_PARTS)[number];

/** Methods that a starter can be asked for; what they are compared with comes by itself. */
export const STARTER_METHODS = ['moa', 'streaming', 'dense'] as const;
export type StarterMethod = (typeof STARTER_METHODS)[number];

export interface StarterOptions {
  /** As suites are named: lower-case letters, digits, ".", "_" and "-". */
  readonly name: string;
  /** As `model.path` of a suite. */
  readonly model: string;
  readonly backend: 'cpu' | 'cuda';
  readonly methods: readonly StarterMethod[];
  /** Shares of the dense KV bytes, in (0, 1]. */
  readonly densities: readonly number[];
  /** N, ascending; the longest decides what MoA profiles. */
  readonly lengths: readonly number[];
  readonly parts: readonly StarterPart[];
  /** Retrieval samples of each length; tasks and losses have half as many each. */
  readonly samples: number;
}

/** Below it, some calibration tasks cannot be made at a quarter of the length. */
const SHORTEST = 1024;
/** A length at which a small model on a CPU takes minutes, not hours. */
const USUAL = 4096;
const BLOCK = 64;

/** A quarter, a half and the whole of 4,096 tokens, or of the model's positions where it has fewer. */
export function starterLengths(positions: number): readonly number[] {
  const longest = Math.max(SHORTEST, blocks(Math.min(USUAL, positions)));
  return [blocks(longest / 4), blocks(longest / 2), longest];
}

/**
 * A suite as text, with comments, that asks whether the methods keep up with dense attention and with a uniform mask of the same memory.
 * @throws INVALID_ARGUMENT for lengths that are all too short to make calibration samples from.
 */
export function starterSuite(options: StarterOptions): string {
  const longest = Math.max(...options.lengths);
  if (longest < SHORTEST) throw invalidArgument(`a length of at least ${SHORTEST} tokens`, '--lengths', longest);
  const has = (part: StarterPart): boolean => options.parts.includes(part);
  const quality = (['retrieval', 'longbench', 'perplexity'] as const).filter(has);
  const sections = [
    heading(options),
    methodLines(options),
    ...(options.methods.includes('moa') ? [compressLines(longest)] : []),
    ...(quality.length === 0
      ? []
      : [
          [
            '# What is scored, on samples that moabench makes; docs/suites.md says how to use LongEval and LongBench files.',
            'quality:',
            ...quality.flatMap((part) => QUALITY[part](options)),
          ].join('\n'),
        ]),
    ...(has('efficiency') ? [efficiencyLines(longest)] : []),
  ];
  return `${sections.join('\n\n')}\n`;
}

function heading({ name, model, backend }: StarterOptions): string {
  return `# A suite to start from: change what you like. \`moabench run <this file> --dry-run\` says what it would do and about how long that takes;
# docs/suites.md has every setting.
version: 1
name: ${name}
seed: 1
model:
  path: ${JSON.stringify(model)} # a Hugging Face folder, relative to the working folder, or bundled:reference
  kvDType: bf16 # how keys and values are stored
backend: { name: ${backend} } # cpu or cuda; \`moabench doctor\` says what this machine has`;
}

function methodLines({ methods, densities }: StarterOptions): string {
  const percent = (density: number): string => String(Number((100 * density).toFixed(2)));
  const uniform = densities.map(
    (d) => `  - { id: uniform-${percent(d)}, label: Uniform ${percent(d)}%, method: streaming, density: ${d} }`,
  );
  const moa = densities.map((d) => `  - { id: moa-${percent(d)}, label: MoA ${percent(d)}%, method: moa, density: ${d} }`);
  return [
    '# What is compared; the dense method is the baseline. A density is the share of its KV bytes.',
    'methods:',
    '  - { id: dense, label: Dense, method: dense }',
    ...(methods.includes('moa') || methods.includes('streaming') ? ['  # The same sink and window for every head.', ...uniform] : []),
    ...(methods.includes('moa')
      ? ['  # A rule for each head, found by profiling the model. heterogeneity: uniform, layers, heads or elastic.', ...moa]
      : []),
  ].join('\n');
}

function compressLines(longest: number): string {
  const [quarter, half, unseen] = [blocks(longest / 4), blocks(longest / 2), blocks((3 * longest) / 4)];
  return `# How MoA finds its rules: it profiles the model's own answers at two lengths, holds the density at three, and picks the plan with the least loss
# at a longer length that it has not seen. More samples find better rules and take longer.
compress:
  calibration: { tasks: [lines, needle, multi_qa, vartrack], samplesPerLength: 4, answerTokens: 48 }
  profileLengths: [${quarter}, ${half}]
  constrainLengths: [${quarter}, ${half}, ${longest}]
  intervals: 2
  validate: { length: ${unseen}, samples: 4 }`;
}

const QUALITY: Readonly<Record<'retrieval' | 'longbench' | 'perplexity', (options: StarterOptions) => readonly string[]>> = {
  retrieval: ({ lengths, samples }) => [
    '  # Samples of each length, spread over depths. The more there are, the smaller the differences that show; the report says which would be missed.',
    `  retrieval: { task: lines, lengths: [${lengths.join(', ')}], samples: ${samples} }`,
  ],
  longbench: (options) => [
    '  # Samples of each task; below three, scores have no intervals.',
    `  longbench: { tasks: [single_qa, multi_qa, fewshot, summary], length: ${middle(options)}, samples: ${half(options)} }`,
  ],
  perplexity: (options) => [
    '  # The loss of reference answers, which shows small differences.',
    `  perplexity: { tasks: [single_qa, summary], length: ${middle(options)}, samples: ${half(options)} }`,
  ],
};

function efficiencyLines(longest: number): string {
  return `# What is timed, all methods side by side in fresh processes. Fewer than six rounds in all (rounds x processes) are not compared.
efficiency:
  processes: 3
  prefill: { lengths: [${longest}], rounds: 3 }
  decode: { lengths: [${longest}], batch: [1], rounds: 4 }`;
}

/** Of several lengths the one in the middle; of one, itself. */
function middle({ lengths }: StarterOptions): number {
  return lengths[Math.floor((lengths.length - 1) / 2)] ?? SHORTEST;
}

function half({ samples }: StarterOptions): number {
  return Math.ceil(samples / 2);
}

function blocks(tokens: number): number {
  return Math.floor(tokens / BLOCK) * BLOCK;
}
