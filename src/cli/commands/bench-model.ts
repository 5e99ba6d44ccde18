import { loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Command, Option } from 'commander';
import type { z } from 'zod';
import { writeFileAtomic } from '../../core/files.ts';
import { publishedPath } from '../../measure/kernels/spans.ts';
import { type FromProcess, inProcesses } from '../../measure/model/process.ts';
import { type ModelBenchRequest, opTimesSchema, profileSchema, wholeStepSchema } from '../../measure/model/protocol.ts';
import { opTimesText, profileReport, profileText, wholeStepReport, wholeStepText } from '../../measure/model/report.ts';
import { BUNDLED_MODEL } from '../../model/format/bundled.ts';
import { loadPlan } from '../../plan/file.ts';
import { captureEnvironment } from '../../records/environment.ts';
import { interruptible } from '../interrupt.ts';
import { print } from '../output.ts';
import { deviceIndex, integer, positive, share } from '../parse.ts';
import { progressDisplay } from '../progress-display.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

interface ModelFlags {
  readonly backend: 'cpu' | 'cuda';
  readonly model?: string;
  readonly threads?: number;
  readonly device?: number;
  readonly tokens?: number;
  readonly processes: number;
  readonly out?: string;
  readonly json: boolean;
}

/** The model and the number of tokens that a bench uses when the command line names none. */
const DEFAULTS = { cpu: { model: BUNDLED_MODEL, tokens: 2048 }, cuda: { model: 'dummy:vicuna-7b', tokens: 8192 } } as const;

function modelCommand(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .addOption(new Option('--backend <name>', 'what is measured').choices(['cpu', 'cuda']).default('cpu'))
    .option('--model <folder>', 'a model, or dummy:<preset> (default: bundled:reference on cpu, dummy:vicuna-7b on cuda)')
    .option('--threads <n>', 'threads of the cpu backend', integer)
    .option('--device <n>', 'which GPU of cuda (default: 0)', deviceIndex)
    .option('--tokens <n>', `context length (default: ${DEFAULTS.cpu.tokens} on cpu, ${DEFAULTS.cuda.tokens} on cuda)`, integer)
    .option('--out <file>', 'write the record as JSON')
    .option('--json', 'print the record as JSON', false);
}

interface WholeStepFlags extends ModelFlags {
  readonly plan?: string;
  readonly batch?: number;
  readonly memory: number;
  readonly steps: number;
  readonly rounds: number;
  readonly ceiling?: number;
}

/** moabench bench whole-step. */
export function wholeStepCommand(): Command {
  return modelCommand(
    'whole-step',
    'Time decode steps of a whole model against the roofline: weights and live keys and values at the read ceiling',
  )
    .option('--plan <file>', 'a plan for the model (default: the published one for dummy:vicuna-7b and dummy:vicuna-13b)')
    .option('--batch <n>', 'sequences of the dense cache (default: as many as fit; 1 on cpu)', integer)
    .option('--memory <share>', 'of the device that weights and caches may take', share, 0.8)
    .option('--steps <n>', 'decoded in one timing', integer, 16)
    .option('--rounds <n>', 'timings of each contender in a process', integer, 4)
    .option('--processes <n>', 'launches that time everything once each', integer, 3)
    .option('--ceiling <bytes>', 'bytes a second that were read at best elsewhere, where that is more', positive)
    .addHelpText(
      'after',
      `
Examples:
  $ moabench bench whole-step --tokens 1024 --processes 1
  $ moabench bench whole-step --backend cuda --out whole-step.json`,
    )
    .action(async (flags: WholeStepFlags) => {
      const { model, tokens } = { ...DEFAULTS[flags.backend], ...definedOnly(flags) };
      const { steps, rounds, memory, batch = null } = flags;
      const path = flags.plan ?? publishedFor(model);
      const plan = path === undefined ? null : loadPlan(path);
      await bench(flags, {
        work: { kind: 'whole-step', tokens, plan, batch, memory, steps, rounds },
        schema: wholeStepSchema,
        report: (processes) => wholeStepReport(processes, flags.ceiling),
        text: wholeStepText,
        facts: { tokens, steps },
      });
    });
}

interface ProfileFlags extends ModelFlags {
  readonly rounds: number;
}

/** moabench bench profile-vs-prefill. */
export function profileCommand(): Command {
  return modelCommand(
    'profile-vs-prefill',
    'Time one profiling sample against the dense prefill of the same tokens, and say what memory it takes',
  )
    .option('--rounds <n>', 'timings of each in a process', integer, 4)
    .option('--processes <n>', 'launches that time everything once each', integer, 3)
    .addHelpText(
      'after',
      `
Measured at a quarter, half and all of the tokens.

Examples:
  $ moabench bench profile-vs-prefill --tokens 1024 --processes 1
  $ moabench bench profile-vs-prefill --backend cuda --out profile-vs-prefill.json`,
    )
    .action(async (flags: ProfileFlags) => {
      const { tokens } = { ...DEFAULTS[flags.backend], ...definedOnly(flags) };
      const lengths = [4, 2, 1].map((part) => Math.ceil(tokens / part));
      await bench(flags, {
        work: { kind: 'profile-vs-prefill', lengths, rounds: flags.rounds },
        schema: profileSchema,
        report: profileReport,
        text: profileText,
        facts: {},
      });
    });
}

/** moabench bench op-times. */
export function opTimesCommand(): Command {
  return modelCommand('op-times', 'Time by op of a prefill, a profiling sample and a decode step: where the time goes')
    .addHelpText('after', '\nExample:\n  $ moabench bench op-times --backend cuda --tokens 8192 --out op-times.json')
    .action(async (flags: ModelFlags) => {
      const { tokens } = { ...DEFAULTS[flags.backend], ...definedOnly(flags) };
      await bench(
        { ...flags, processes: 1 },
        {
          work: { kind: 'op-times', tokens },
          schema: opTimesSchema,
          report: ([only]) => only?.result ?? { parts: [] },
          text: opTimesText,
          facts: { tokens },
        },
      );
    });
}

interface Work<Schema extends z.ZodType, Report extends object> {
  readonly work: ModelBenchRequest['work'];
  readonly schema: Schema;
  readonly report: (processes: readonly FromProcess<z.infer<Schema>>[]) => Report;
  readonly text: (report: Report) => string;
  readonly facts: Readonly<Record<string, number>>;
}

/** Measures in fresh processes, then prints the record or writes it to a file. */
async function bench<Schema extends z.ZodType, Report extends object>(
  flags: ModelFlags,
  { work, schema, report: reportOf, text, facts }: Work<Schema, Report>,
): Promise<void> {
  const loadAverage = loadavg();
  const { model } = { ...DEFAULTS[flags.backend], ...definedOnly(flags) };
  const { backend: name, threads, device, processes } = flags;
  const backend = { name, ...(threads === undefined ? {} : { threads }), ...(device === undefined ? {} : { device }) };
  const display = progressDisplay({ quiet: false });
  const found = await interruptible(
    ({ signal }) => inProcesses({ request: { model, backend, work }, schema, processes, signal, onProgress: display.onProgress }),
    { beforeExit: () => display.stop() },
  );
  display.stop();
  const [{ device: description, timer, dtype }] = found as [FromProcess<z.infer<Schema>>];
  const report = reportOf(found);
  const record = {
    version: 1,
    kind: work.kind,
    environment: captureEnvironment({ root: ROOT, backend: { name, description, details: { timer } }, loadAverage }),
    model,
    dtype,
    ...facts,
    substitutions: [...new Set(found.flatMap(({ substitutions }) => substitutions))],
    ...report,
  };
  if (flags.out !== undefined) writeFileAtomic(flags.out, `${JSON.stringify(record)}\n`);
  print(flags.json ? `${JSON.stringify(record)}\n` : `${description}, ${dtype}\n${text(report)}\n`);
}

function publishedFor(model: string): string | undefined {
  if (model === 'dummy:vicuna-7b') return publishedPath('vicuna-7b');
  if (model === 'dummy:vicuna-13b') return publishedPath('vicuna-13b');
  return undefined;
}

/** The model and the tokens, without those that the command line left out: they must not overwrite a default. */
function definedOnly({ model, tokens }: ModelFlags): { readonly model?: string; readonly tokens?: number } {
  return { ...(model === undefined ? {} : { model }), ...(tokens === undefined ? {} : { tokens }) };
}
