import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Command, Option } from 'commander';
import { addonPath } from '../../native/addon.ts';
import { listBackends } from '../../native/backends.ts';
import { EXIT } from '../exit-code.ts';
import { print, tell } from '../output.ts';
import { backendsText } from './doctor.ts';

interface BuildFlags {
  readonly cuda?: 'auto' | 'on' | 'off' | 'wheels';
  readonly kernel: readonly string[];
}

/** The build script of this package; the path holds for an installed package and for a checkout. */
const SCRIPT = fileURLToPath(new URL('../../../scripts/build-native.mjs', import.meta.url));

/** moabench build: the native code, compiled for this machine. */
export function buildCommand(): Command {
  return new Command('build')
    .description('Build the native code for this machine; needs CMake and a C++20 compiler')
    .addOption(
      new Option(
        '--cuda <how>',
        'CUDA kernels: auto where nvcc is on the PATH, on, off, or wheels: with the compiler of NVIDIA’s wheels from PyPI, 300 MB (default: MOABENCH_CUDA, else auto)',
      ).choices(['auto', 'on', 'off', 'wheels']),
    )
    .option(
      '--kernel <files...>',
      'also build ./moabench.node, in which these files stand in for those of native/cpu with the same names',
      [],
    )
    .addHelpText(
      'after',
      `
Examples:
  $ moabench build                                  the cpu backend, and CUDA kernels where nvcc is found
  $ moabench build --cuda wheels                    CUDA kernels without a CUDA toolkit
  $ moabench build --kernel my/attention_decode.cc  your kernel in place of ours; docs/kernels.md`,
    )
    .action(async ({ cuda, kernel }: BuildFlags) => {
      tell('Building the native code: one or two minutes on two cores, more with CUDA kernels.\n');
      const options = [...(cuda === undefined ? [] : ['--cuda', cuda]), ...kernel.flatMap((file) => ['--kernel', file])];
      const child = spawn(process.execPath, [SCRIPT, ...options], { stdio: ['ignore', 'inherit', 'inherit'] });
      const [code] = (await once(child, 'exit')) as [number | null];
      if (code !== 0) {
        process.exitCode = code === null ? EXIT.aborted : EXIT.someFailed; // the script said why
        return;
      }
      print(`built     ${addonPath()}\n${backendsText(listBackends())}`);
      if (kernel.length > 0) print('own       moabench.node in this folder; MOABENCH_ADDON=moabench.node uses it\n');
    });
}
