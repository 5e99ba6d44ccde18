import { loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { TaskName } from '../../data/tasks.ts';
import type { AgreementRow } from '../../evaluate/agreement/compare-models.ts';
import type { LanguageModel } from '../../model/inference/language-model.ts';
import { loadModel } from '../../model/load.ts';
import type { Backend, FloatDType } from '../../native/backend.ts';
import { createBackend } from '../../native/backends.ts';
import { captureEnvironment } from '../../records/environment.ts';
import { createTfjsBackend } from '../../reference/tfjs-backend.ts';
import { EXIT } from '../exit-code.ts';
import { interruptible } from '../interrupt.ts';
import { print } from '../output.ts';
import { progressDisplay } from '../progress-display.ts';

interface Compared {
  readonly dtypes: readonly FloatDType[];
  readonly tasks: readonly TaskName[];
  readonly lengths: readonly number[];
  readonly samples: number;
  readonly influenceSamples: number;
}

export interface VerifyModelFlags extends Partial<Compared> {
  readonly backend: 'cpu' | 'cuda';
  readonly device?: number;
  readonly model: string;
  readonly json: boolean;
}

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

/**
 * What is compared when the command line says nothing. The cpu backend gets one sample only: its reference is TensorFlow.js, which takes minutes for a
 * sample with its profile.
 */
const DEFAULTS = {
  cpu: { dtypes: ['f32'], tasks: ['lines'], lengths: [320], samples: 1, influenceSamples: 1 },
  cuda: {
    samples: 4,
    influenceSamples: 2,
    dtypes: ['bf16', 'f16', 'f32'],
    tasks: ['lines', 'needle', 'single_qa', 'multi_qa', 'fewshot', 'summary', 'vartrack', 'code'],
    lengths: [1024, 2048, 4096],
  },
} as const satisfies Record<'cpu' | 'cuda', Compared>;

/** moabench verify --model: compares greedy answers, losses and influence of a model on a backend with those of the same model on the reference. */
export async function verifyModel(flags: VerifyModelFlags): Promise<void> {
  const { Agreement } = await import('../../evaluate/agreement/compare-models.ts');
  const { agreementItems } = await import('../../evaluate/agreement/items.ts');
  const { dtypes, ...compared }: Compared = { ...DEFAULTS[flags.backend], ...given(flags) };
  const loadAverage = loadavg();
  const display = progressDisplay({ quiet: false });
  const path = flags.model;
  // A GPU is compared with the cpu backend. The cpu backend is compared with TensorFlow.js, which shares no kernel with it.
  const referenceBackend = flags.backend === 'cuda' ? await createBackend({ name: 'cpu' }) : await createTfjsBackend();
  const descriptions = { reference: referenceBackend.description, backend: '' };
  const rows: AgreementRow[] = [];
  await interruptible(
    async ({ signal }) => {
      const reference = await loadModel({ path, backend: referenceBackend, activationDType: 'f32', text: 'required' });
      const items = agreementItems(reference, compared);
      const agreement = await Agreement.of(reference, { items, signal, onProgress: display.onProgress });
      for (const dtype of dtypes) {
        const backend = await createBackend({ name: flags.backend, device: flags.device });
        descriptions.backend = backend.description;
        await withModel(
          backend,
          await loadModel({ path, backend, weightDType: dtype, activationDType: dtype, text: 'required' }),
          async (model) => {
            rows.push(await agreement.compare(model));
          },
        );
      }
      reference.dispose();
    },
    { beforeExit: () => display.stop() },
  );
  await referenceBackend.dispose();
  display.stop();
  const record = {
    version: 1,
    kind: 'verify-model',
    environment: captureEnvironment({
      root: ROOT,
      backend: { name: flags.backend, description: descriptions.backend, details: {} },
      loadAverage,
    }),
    model: path,
    reference: descriptions.reference,
    rows,
  };
  print(flags.json ? `${JSON.stringify(record)}\n` : `${agreementText(descriptions, rows)}\n`);
  process.exitCode = rows.some(({ faults }) => faults.length > 0) ? EXIT.someFailed : EXIT.completed;
}

async function withModel(backend: Backend, model: LanguageModel, work: (model: LanguageModel) => Promise<void>): Promise<void> {
  try {
    await work(model);
  } finally {
    model.dispose();
    await backend.dispose();
  }
}

/** The options that the command line gave; the others keep their defaults. */
function given({ dtypes, tasks, lengths, samples, influenceSamples }: VerifyModelFlags): Partial<Compared> {
  return {
    ...(dtypes === undefined ? {} : { dtypes }),
    ...(tasks === undefined ? {} : { tasks }),
    ...(lengths === undefined ? {} : { lengths }),
    ...(samples === undefined ? {} : { samples }),
    ...(influenceSamples === undefined ? {} : { influenceSamples }),
  };
}

/** At most so many answers that differ are shown. */
const SHOWN = 6;

/** The comparison as lines for a terminal. Exported for its test. */
export function agreementText(
  descriptions: { readonly reference: string; readonly backend: string },
  rows: readonly AgreementRow[],
): string {
  return [
    `backend    ${descriptions.backend}`,
    `reference  ${descriptions.reference}`,
    ...rows.flatMap(({ dtype, samples, equal, ties, different, influence, faults }) => [
      `${faults.length === 0 ? 'pass' : 'FAIL'} ${dtype}: ${equal} of ${samples} answers are equal, ${ties} of the others a tie`,
      ...different
        .slice(0, SHOWN)
        .map(
          ({ task, length, index, token, gap }) =>
            `     ${task} ${length}, sample ${index}: token ${token}, logits ${gap.toExponential(1)} apart`,
        ),
      ...(influence?.lengths ?? []).map(
        ({ length, samples: n, loss, elementwise, elementwiseSink, joint }) =>
          `     at ${length} tokens, over ${n} samples: loss ${loss.toExponential(1)} off, influence elementwise ${elementwise.toExponential(1)}, elementwiseSink ${elementwiseSink.toExponential(1)}, joint ${joint.toExponential(1)}`,
      ),
      ...faults.map((fault) => `FAIL ${dtype}: ${fault}`),
    ]),
  ].join('\n');
}
