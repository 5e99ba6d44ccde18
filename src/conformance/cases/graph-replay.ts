import { MoaError } from '../../core/errors.ts';
import type { FloatDType } from '../../native/backend.ts';
import { type CaseOutputs, type ConformanceCase, caseName, EXACT, needs, type Requirement } from '../case.ts';
import { toleranceOf } from './attention-tolerance.ts';
import { inputsOf, type StepShape, twoSteps } from './fixed-step.ts';

/** A step that is recorded once and replayed, compared with the same steps enqueued op by op: the bits must be equal at every length. */
function replay(shape: StepShape): ConformanceCase {
  const { prompt, rows, steps, ...scenario } = shape;
  return {
    op: 'graph',
    name: caseName({ ...scenario, prompt, rows, steps }),
    tolerance: toleranceOf(scenario),
    requires: requirements(shape.activations),
    async run(stage) {
      const [eager, recorded] = await twoSteps(stage, shape);
      const graph = stage.graph(() => recorded.enqueue());
      const outputs: Record<string, Float32Array> = { recording: (await recorded.out.read()) as Float32Array }; // still poison: recording runs nothing
      const differing = new Int32Array(steps);
      for (let step = 0; step < steps; step++) {
        const values = inputsOf(stage, shape);
        for (const each of [eager, recorded]) each.write(values);
        eager.enqueue();
        graph.replay();
        const [expected, actual] = await Promise.all([eager.out.read(), recorded.out.read()]);
        differing[step] = unequal(expected, actual);
        outputs[`replayed${step}`] = actual as Float32Array;
        for (const each of [eager, recorded]) each.advance();
      }
      return { ...outputs, differing, lengths: await recorded.cache.lengths() };
    },
  };
}

/** Replays into a `full` cache until one is refused, then again after a reset. */
const refusal: ConformanceCase = {
  op: 'graph',
  name: 'full capacity=128 prompt=126: a replay past the capacity is refused',
  tolerance: EXACT,
  requires: ['graphs'],
  async run(stage) {
    const shape: StepShape = { heads: 2, kvHeads: 1, headDim: 32, policy: 'full', spans: [128], prompt: [126], rows: [0], steps: 0 };
    const [step] = await twoSteps(stage, shape);
    const graph = stage.graph(() => step.enqueue());
    const replays = (): number => {
      for (let done = 0; done <= 128; done++) {
        step.write(inputsOf(stage, shape));
        if (codeOf(() => graph.replay()) === 'INVALID_ARGUMENT') return done;
        step.advance();
      }
      return -1;
    };
    const first = replays();
    step.cache.reset(0);
    return { replays: Int32Array.of(first, replays()), lengths: await step.cache.lengths() };
  },
};

/** Token ids stay on the device: every replay embeds the ids that the last one chose. */
const chained: ConformanceCase = {
  op: 'graph',
  name: 'embedding, gemm and argmax in a ring of 23 ids, 30 replays',
  tolerance: EXACT,
  requires: ['graphs'],
  async run(stage) {
    const { backend } = stage;
    const [vocabulary, width] = [23, 64];
    const table = stage.normal([vocabulary, width]);
    const next = stage.poisoned([vocabulary, width]); // row i + 1 is the table's row i: id i makes i + 1 the likeliest by far
    backend.gatherRows({ x: table, out: next, rows: Int32Array.from({ length: vocabulary }, (_, i) => (i + vocabulary - 1) % vocabulary) });
    const ids = stage.ints([3, 20]);
    const hidden = stage.poisoned([2, width]);
    const logits = stage.poisoned([2, vocabulary]);
    const graph = stage.graph(() => {
      backend.embedding({ ids, table, out: hidden });
      backend.gemm({ a: hidden, b: next, out: logits, transposeB: true });
      backend.argmax({ logits, out: ids });
    });
    const seen: number[] = [];
    for (let step = 0; step < 30; step++) {
      graph.replay();
      seen.push(...(await ids.read()));
    }
    return { seen: Int32Array.from(seen) };
  },
};

/** A recording that throws leaves no trace: ops afterwards run. */
const abandoned: ConformanceCase = {
  op: 'graph',
  name: 'a recording that throws is dropped',
  tolerance: EXACT,
  requires: ['graphs'],
  run(stage) {
    const x = stage.poisoned([5, 7]);
    codeOf(() =>
      stage
        .graph(() => {
          stage.backend.fill({ out: x, value: 1 });
          throw new MoaError('on purpose', { code: 'ABORTED' });
        })
        .replay(),
    );
    stage.backend.fill({ out: x, value: 2 });
    return { x };
  },
};

const disposed: ConformanceCase = {
  op: 'graph',
  name: 'refuses a replay after dispose',
  tolerance: EXACT,
  requires: ['graphs'],
  rejects: 'INVALID_ARGUMENT',
  run(stage): CaseOutputs {
    const x = stage.poisoned([5, 7]);
    const graph = stage.graph(() => stage.backend.fill({ out: x, value: 1 }));
    graph.dispose();
    graph.replay();
    return { x };
  },
};

function requirements(activations: FloatDType | undefined): readonly Requirement[] {
  return ['graphs', ...(needs(activations).requires ?? [])];
}

function unequal(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let count = 0;
  for (let i = 0; i < a.length; i++) count += Number(!Object.is(a[i], b[i]));
  return count;
}

function codeOf(call: () => void): string {
  try {
    call();
    return 'none';
  } catch (error) {
    if (!(error instanceof MoaError)) throw error;
    return error.code;
  }
}

const BF16 = { activations: 'bf16', kv: 'bf16' } as const;

export const GRAPH_CASES: readonly ConformanceCase[] = [
  replay({ ...BF16, heads: 8, kvHeads: 2, headDim: 64, spans: [128, 192], prompt: [120, 63], rows: [1, 0], steps: 14 }),
  replay({ ...BF16, heads: 4, kvHeads: 4, headDim: 128, spans: [64, 128, 320], sink: 0, prompt: [60, 1, 130], rows: [2, 1], steps: 8 }),
  replay({
    activations: 'f16',
    kv: 'f16',
    heads: 8,
    kvHeads: 1,
    headDim: 128,
    policy: 'full',
    spans: [192],
    prompt: [126],
    rows: [0],
    steps: 4,
  }),
  replay({ kv: 'bf16', heads: 4, kvHeads: 2, headDim: 32, spans: [128, 192], prompt: [120, 3, 150], rows: [2, 0], steps: 10 }),
  replay({ heads: 2, kvHeads: 1, headDim: 32, spans: [128], prompt: [127, 1], rows: [0, 1], steps: 4 }),
  // At these lengths the device splits its work in another way from step to step, so a recording must not contain the lengths.
  replay({ ...BF16, heads: 2, kvHeads: 2, headDim: 32, spans: [2112, 128], prompt: [2045, 2, 500], rows: [0, 1, 2], steps: 4 }),
  refusal,
  chained,
  abandoned,
  disposed,
];
