import { Command, Option } from 'commander';
import type { CaseReport, ConformanceReport } from '../../conformance/run.ts';
import { MoaError } from '../../core/errors.ts';
import { groupBy } from '../../core/group-by.ts';
import { taskNamed } from '../../data/tasks.ts';
import type { FloatDType } from '../../native/backend.ts';
import { createBackend } from '../../native/backends.ts';
import { createTfjsBackend } from '../../reference/tfjs-backend.ts';
import { numbered } from '../../summary/phrases.ts';
import { EXIT } from '../exit-code.ts';
import { interruptible } from '../interrupt.ts';
import { print } from '../output.ts';
import { deviceIndex, integer, integers } from '../parse.ts';
import { progressDisplay } from '../progress-display.ts';
import { refuseOptions } from '../refuse-options.ts';

interface VerifyFlags {
  readonly backend: 'cpu' | 'cuda';
  readonly device?: number;
  readonly op?: string[];
  readonly quick: boolean;
  readonly repeat: boolean;
  readonly model?: string;
  readonly dtypes?: FloatDType[];
  readonly tasks?: string[];
  readonly lengths?: readonly number[];
  readonly samples?: number;
  readonly influenceSamples?: number;
  readonly json: boolean;
}

/** Cases of each op with --quick. */
const QUICK_CASES = 2;

/** moabench verify: every op of a backend against the independent reference, before anything is timed. */
export function verifyCommand(): Command {
  return new Command('verify')
    .description('Check the kernels of a backend against the independent TF.js reference')
    .addOption(new Option('--backend <name>', 'what is checked').choices(['cpu', 'cuda']).default('cpu'))
    .option('--device <n>', 'which GPU of cuda (default: 0)', deviceIndex)
    .option('--op <names...>', 'only these ops')
    .option('--quick', 'only two cases of each op: seconds instead of a minute', false)
    .option('--repeat', 'run every case twice; a bit that differs is a failure', false)
    .option('--model <folder>', 'instead: answers, losses and influence of a model, on cuda against the cpu, on cpu against TensorFlow.js')
    .addOption(
      new Option('--dtypes <names...>', 'with --model: of activations (default: all of cuda, f32 on cpu)').choices(['bf16', 'f16', 'f32']),
    )
    .option('--tasks <names...>', 'with --model: generated tasks (default: eight on cuda, lines on cpu)')
    .option('--lengths <tokens...>', 'with --model: of prompts (default: 1024 2048 4096 on cuda, 320 on cpu)', integers)
    .option('--samples <n>', 'with --model: of each task and length (default: 4 on cuda, 1 on cpu)', integer)
    .option(
      '--influence-samples <n>',
      'with --model: of these that are profiled too, up to 2048 tokens (default: 2 on cuda, 1 on cpu)',
      integer,
    )
    .option('--json', 'print every case as JSON', false)
    .addHelpText(
      'after',
      `
Examples:
  $ moabench verify --backend cuda --repeat
  $ moabench verify --op attentionDecode attentionPrefill
  $ moabench verify --model bundled:reference --backend cuda --dtypes bf16`,
    )
    .action(async (flags: VerifyFlags, command: Command) => {
      const { model, tasks, ...rest } = flags;
      if (model === undefined)
        refuseOptions(command, ['dtypes', 'tasks', 'lengths', 'samples', 'influenceSamples'], '--model is not there');
      else refuseOptions(command, ['op', 'repeat'], '--model compares no single ops');
      if (model !== undefined) {
        const { verifyModel } = await import('./verify-model.ts');
        const named = tasks === undefined ? {} : { tasks: tasks.map((name) => taskNamed(name).name) };
        await verifyModel({ ...rest, model, ...named });
        return;
      }
      const display = progressDisplay({ quiet: false });
      const backend = await createBackend({ name: flags.backend, device: flags.device });
      const reference = await createTfjsBackend();
      try {
        const ops = flags.op;
        const { firstOfEachOp, runConformance } = await import('../../conformance/run.ts');
        const isQuick = firstOfEachOp(flags.quick ? QUICK_CASES : Number.POSITIVE_INFINITY);
        const report = await interruptible(
          ({ signal }) =>
            runConformance({
              backend,
              reference,
              repeat: flags.repeat,
              signal,
              onCase: ({ op }, done, total) => display.onProgress({ stage: 'verify', done, total, detail: op }),
              filter: (testCase) => isQuick(testCase) && (ops === undefined || ops.includes(testCase.op)),
            }),
          { beforeExit: () => display.stop() },
        );
        display.stop();
        if (report.cases.length + report.skipped.length === 0)
          throw new MoaError(`Expected names of ops for --op but received ${ops?.join(', ')}`, { code: 'INVALID_ARGUMENT' });
        print(flags.json ? `${JSON.stringify(report)}\n` : verifyText(report));
        process.exitCode = report.failed > 0 ? EXIT.someFailed : EXIT.completed;
      } finally {
        await backend.dispose();
        await reference.dispose();
      }
    });
}

/** One line per op, then what was left out and why, then every failing case with the text that reproduces it. */
function verifyText(report: ConformanceReport): string {
  const byOp = groupBy<CaseReport, string>(report.cases, (c) => c.op);
  const lines = [`backend    ${report.backend}`, `reference  ${report.reference}`];
  for (const [op, cases] of byOp) {
    const failed = cases.filter((c) => c.status === 'fail').length;
    const worst = Math.max(...cases.map((c) => c.maxError));
    lines.push(
      `${failed === 0 ? 'pass' : 'FAIL'} ${op.padEnd(20)} ${cases.length - failed}/${cases.length} cases, largest relative error ${worst.toExponential(1)}`,
    );
  }
  for (const [reason, cases] of groupBy(report.skipped, (c) => c.reason)) lines.push(`skip ${numbered(cases.length, 'case')}: ${reason}`);
  for (const c of report.cases.filter((c) => c.status === 'fail')) lines.push(`FAIL ${c.repro}: ${c.detail}`);
  return `${lines.join('\n')}\n${report.passed} passed, ${report.failed} failed, ${report.skipped.length} skipped\n`;
}
