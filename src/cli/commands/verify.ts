import { Command } from 'commander';
import type { CaseReport, ConformanceReport } from '../../conformance/run.ts';
import { MoaError } from '../../core/errors.ts';
import { createBackend } from '../../native/backends.ts';
import { createTfjsBackend } from '../../reference/tfjs-backend.ts';
import { EXIT } from '../exit-code.ts';
import { interruptible } from '../interrupt.ts';
import { progressDisplay } from '../progress-display.ts';

interface VerifyFlags {
  readonly backend: string;
  readonly op?: string[];
  readonly json: boolean;
}

/** moabench verify: every op of a backend against the independent reference, before anything is timed. */
export function verifyCommand(): Command {
  return new Command('verify')
    .description('Check the kernels of a backend against the independent TF.js reference')
    .option('--backend <name>', 'cpu', 'cpu')
    .option('--op <names...>', 'only these ops')
    .option('--json', 'print every case as JSON', false)
    .addHelpText('after', '\nExamples:\n  $ moabench verify --backend cpu\n  $ moabench verify --op attentionDecode attentionPrefill')
    .action(async (flags: VerifyFlags) => {
      if (flags.backend !== 'cpu' && flags.backend !== 'cuda') {
        throw new MoaError(`Expected cpu or cuda for --backend but received ${flags.backend}`, { code: 'INVALID_ARGUMENT' });
      }
      const display = progressDisplay({ quiet: false });
      const backend = await createBackend({ name: flags.backend });
      const reference = await createTfjsBackend();
      try {
        const ops = flags.op;
        const { runConformance } = await import('../../conformance/run.ts');
        const report = await interruptible(
          (signal) =>
            runConformance({
              backend,
              reference,
              signal,
              onCase: ({ op }, done, total) => display.onProgress({ stage: 'verify', done, total, detail: op }),
              ...(ops === undefined ? {} : { filter: ({ op }) => ops.includes(op) }),
            }),
          () => display.stop(),
        );
        display.stop();
        if (report.cases.length === 0)
          throw new MoaError(`Expected names of ops for --op but received ${ops?.join(', ')}`, { code: 'INVALID_ARGUMENT' });
        process.stdout.write(flags.json ? `${JSON.stringify(report)}\n` : verifyText(report));
        process.exitCode = report.failed > 0 ? EXIT.someFailed : EXIT.completed;
      } finally {
        await backend.dispose();
        await reference.dispose();
      }
    });
}

/** One line per op, then every failing case with what reproduces it. */
function verifyText(report: ConformanceReport): string {
  const byOp = new Map<string, CaseReport[]>();
  for (const c of report.cases) byOp.set(c.op, [...(byOp.get(c.op) ?? []), c]);
  const lines = [`backend    ${report.backend}`, `reference  ${report.reference}`];
  for (const [op, cases] of byOp) {
    const failed = cases.filter((c) => c.status === 'fail').length;
    const worst = Math.max(...cases.map((c) => c.maxError));
    lines.push(
      `${failed === 0 ? 'pass' : 'FAIL'} ${op.padEnd(20)} ${cases.length - failed}/${cases.length} cases, largest relative error ${worst.toExponential(1)}`,
    );
  }
  for (const c of report.cases.filter((c) => c.status === 'fail')) lines.push(`FAIL ${c.repro}: ${c.detail}`);
  return `${lines.join('\n')}\n${report.passed} passed, ${report.failed} failed\n`;
}
