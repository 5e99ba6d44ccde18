import { Command, Option } from 'commander';
import { type KernelBenchOptions, runKernelBench } from '../../measure/kernel-bench.ts';
import { SECTIONS } from '../../measure/kernels/case.ts';
import type { FloatDType } from '../../native/backend.ts';
import { createBackend } from '../../native/backends.ts';
import { interruptible } from '../interrupt.ts';
import { print } from '../output.ts';
import { deviceIndex, integer } from '../parse.ts';
import { progressDisplay } from '../progress-display.ts';
import { refuseOptions } from '../refuse-options.ts';
import { opTimesCommand, profileCommand, wholeStepCommand } from './bench-model.ts';
import { optimizerCommand } from './bench-optimizer.ts';
import { benchPeers } from './bench-peers.ts';
import { versusCommand } from './bench-versus.ts';

interface BenchFlags extends Partial<Pick<KernelBenchOptions, 'tokens' | 'heads' | 'kvHeads' | 'headDim' | 'batch'>> {
  readonly backend: keyof typeof SHAPES;
  readonly threads?: number;
  readonly device?: number;
  readonly dtype?: FloatDType;
  readonly rounds: number;
  readonly peers: boolean;
  readonly only: string[];
  readonly processes: number;
  readonly python?: string;
  readonly quick: boolean;
  readonly shrink: number;
  readonly budget?: number;
  readonly out?: string;
  readonly json: boolean;
}

/** PEERS_ONLY: options that need --peers. ALONE_ONLY: options that --peers does not take. */
const PEERS_ONLY = ['only', 'processes', 'python', 'quick', 'shrink', 'budget', 'out'];
const ALONE_ONLY = ['threads', 'device', 'dtype', 'rounds', 'tokens', 'heads', 'kvHeads', 'headDim', 'batch'];

/** Default shapes. cpu: the attention of the bundled model. cuda: the attention of Llama 3 8B, with 1 GiB of keys and values. */
const SHAPES = {
  cpu: { tokens: 4096, heads: 8, kvHeads: 8, headDim: 32, batch: 4, activations: 'f32', kvDType: 'bf16' },
  cuda: { tokens: 8192, heads: 32, kvHeads: 8, headDim: 128, batch: 32, activations: 'bf16', kvDType: 'bf16' },
} as const;

/** moabench bench: kernels side by side, as rates against the read-only bandwidth ceiling of the same run. */
export function benchCommand(): Command {
  const byBackend = (key: keyof (typeof SHAPES)['cpu']): string => `(default: ${SHAPES.cpu[key]} on cpu, ${SHAPES.cuda[key]} on cuda)`;
  return new Command('bench')
    .enablePositionalOptions()
    .addCommand(wholeStepCommand())
    .addCommand(profileCommand())
    .addCommand(opTimesCommand())
    .addCommand(versusCommand())
    .addCommand(optimizerCommand())
    .description('Time attention and GEMM kernels, interleaved, against the read ceiling of the same run')
    .addOption(new Option('--backend <name>', 'what is timed').choices(['cpu', 'cuda']).default('cpu'))
    .option('--threads <n>', 'threads of the cpu backend', integer)
    .option('--device <n>', 'which GPU of cuda (default: 0)', deviceIndex)
    .addOption(
      new Option(
        '--dtype <name>',
        'of activations, keys and values (default: f32 activations over a bf16 cache on cpu, bf16 on cuda)',
      ).choices(['f16', 'bf16', 'f32']),
    )
    .option('--rounds <n>', 'samples per kernel', integer, 15)
    .option('--tokens <n>', `context length ${byBackend('tokens')}`, integer)
    .option('--heads <n>', `query heads ${byBackend('heads')}`, integer)
    .option('--kv-heads <n>', `KV heads ${byBackend('kvHeads')}`, integer)
    .option('--head-dim <n>', `head dim ${byBackend('headDim')}`, integer)
    .option('--batch <n>', `sequences of the decode kernels ${byBackend('batch')}`, integer)
    .option('--peers', "every kernel beside PyTorch's in one process, after it was compared with float64", false)
    .option('--only <names...>', `with --peers: sections (${SECTIONS.join(', ')}) or parts of a case's name`, [])
    .option('--processes <n>', 'with --peers: launches that time everything once each', integer, 3)
    .option('--python <file>', 'with --peers: a Python that has torch (default: MOABENCH_PYTHON, else the first python3 that has it)')
    .option('--quick', 'with --peers: fewer rounds', false)
    .option('--shrink <n>', 'with --peers: divide lengths and batches, to try it on a small device', integer, 1)
    .option('--budget <seconds>', 'with --peers: begin no case after this time', integer)
    .option('--out <file>', 'with --peers: write the record as JSON, after every process')
    .option('--json', 'print raw samples as JSON', false)
    .addHelpText(
      'after',
      `
Examples:
  $ moabench bench --tokens 8192 --heads 32 --kv-heads 8 --head-dim 128
  $ moabench bench --backend cuda --dtype f16 --batch 64
  $ moabench bench --peers --backend cuda --out kernels.json
  $ moabench bench --peers --backend cuda --only decode --processes 1 --quick`,
    )
    .action(async (flags: BenchFlags, command: Command) => {
      if (flags.peers) refuseOptions(command, ALONE_ONLY, '--peers has shapes of its own');
      else refuseOptions(command, PEERS_ONLY, '--peers is not there');
      if (flags.peers) {
        await benchPeers(flags);
        return;
      }
      const { backend: name, threads, device, dtype, json, rounds, tokens, heads, kvHeads, headDim, batch } = flags;
      const given = definedOf({ tokens, heads, kvHeads, headDim, batch });
      const dtypes = dtype === undefined ? {} : { activations: dtype, kvDType: dtype };
      const display = progressDisplay({ quiet: false });
      const backend = await createBackend({ name, threads, device });
      try {
        const report = await interruptible(
          ({ signal }) => runKernelBench(backend, { ...SHAPES[name], ...given, ...dtypes, rounds, signal, onProgress: display.onProgress }),
          { beforeExit: () => display.stop() },
        );
        display.stop();
        print(json ? `${JSON.stringify(report)}\n` : `${report.text}\n`);
      } finally {
        await backend.dispose();
      }
    });
}

/** `values` without the undefined ones, so that an option that was not given overwrites no default. */
function definedOf<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
