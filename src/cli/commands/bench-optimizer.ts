import { Command } from 'commander';
import { benchOptimizer, optimizerText } from '../../measure/optimizer.ts';
import { interruptible } from '../interrupt.ts';
import { print } from '../output.ts';
import { integer, share } from '../parse.ts';
import { progressDisplay } from '../progress-display.ts';

interface OptimizerFlags {
  readonly layers: number;
  readonly kvHeads: number;
  readonly budget: number;
  readonly betaSteps: number;
  readonly json: boolean;
}

/** moabench bench optimizer. */
export function optimizerCommand(): Command {
  return new Command('optimizer')
    .description('Time the optimizer on a synthetic model, and say how far at most its plans are from the optimum')
    .option('--layers <n>', 'layers', integer, 32)
    .option('--kv-heads <n>', 'KV heads of a layer', integer, 32)
    .option('--budget <density>', 'density at each length', share, 0.5)
    .option('--beta-steps <n>', 'steps of the slope of candidate rules; 8 gives the 48 rules of the released code', integer, 8)
    .option('--json', 'print the figures as JSON', false)
    .addHelpText(
      'after',
      '\nExamples:\n  $ moabench bench optimizer --json             the size of a 7B model, about 20 s\n  $ moabench bench optimizer --layers 4 --kv-heads 4',
    )
    .action(async ({ json, ...size }: OptimizerFlags) => {
      const display = progressDisplay({ quiet: false });
      const found = await interruptible(({ signal }) => benchOptimizer({ ...size, signal, onProgress: display.onProgress }), {
        beforeExit: () => display.stop(),
      });
      display.stop();
      print(json ? `${JSON.stringify(found)}\n` : `${optimizerText(found)}\n`);
    });
}
