import { Command } from 'commander';
import { runConformance } from '../../conformance/run.ts';
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
        const report = await interruptible(
          (signal) => runConformance({ backend, reference, signal, onProgress: display.onProgress, ...(flags.op === undefined ? {} : { ops: flags.op }) }),
          () => display.stop(),
        );
        display.stop();
        process.stdout.write(flags.json ? `${JSON.stringify(report)}\n` : `${backend.description}\nreference: ${reference.description}\n${report.text}\n`);
        process.exitCode = report.failed > 0 ? EXIT.someFailed : EXIT.completed;
      } finally {
        await backend.dispose();
        await reference.dispose();
      }
    });
}
