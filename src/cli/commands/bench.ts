import { Command } from 'commander';
import { runKernelBench } from '../../measure/kernel-bench.ts';
import { createBackend } from '../../native/backends.ts';
import { interruptible } from '../interrupt.ts';
import { integer } from '../parse.ts';
import { progressDisplay } from '../progress-display.ts';

interface BenchFlags {
  readonly backend: 'cpu';
  readonly threads?: number;
  readonly rounds: number;
  readonly tokens: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly batch: number;
  readonly json: boolean;
}

/** moabench bench: kernels side by side, as rates against the read-only bandwidth ceiling of the same run. */
export function benchCommand(): Command {
  return new Command('bench')
    .description('Time attention and GEMM kernels, interleaved, against the read ceiling of the same run')
    .option('--backend <name>', 'cpu', 'cpu')
    .option('--threads <n>', 'threads of the cpu backend', integer)
    .option('--rounds <n>', 'samples per kernel', integer, 15)
    .option('--tokens <n>', 'context length', integer, 4096)
    .option('--heads <n>', 'query heads', integer, 8)
    .option('--kv-heads <n>', 'KV heads', integer, 8)
    .option('--head-dim <n>', 'head dim', integer, 32)
    .option('--batch <n>', 'sequences of the decode kernels', integer, 4)
    .option('--json', 'print raw samples as JSON', false)
    .addHelpText('after', '\nExample:\n  $ moabench bench --tokens 8192 --heads 32 --kv-heads 8 --head-dim 128')
    .action(async (flags: BenchFlags) => {
      const display = progressDisplay({ quiet: false });
      const backend = await createBackend({ name: flags.backend, ...(flags.threads === undefined ? {} : { threads: flags.threads }) });
      try {
        const { heads, kvHeads, headDim, batch, tokens, rounds } = flags;
        const report = await interruptible(
          (signal) =>
            runKernelBench(backend, {
              heads,
              kvHeads,
              headDim,
              batch,
              tokens,
              kvDType: 'bf16',
              rounds,
              signal,
              onProgress: display.onProgress,
            }),
          () => display.stop(),
        );
        display.stop();
        process.stdout.write(flags.json ? `${JSON.stringify(report)}\n` : `${report.text}\n`);
      } finally {
        await backend.dispose();
      }
    });
}
