import { mkdtempSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { writeFileAtomic } from '../../core/files.ts';
import { versusText, versusTransformers } from '../../measure/versus-transformers.ts';
import { BUNDLED_MODEL, modelPath } from '../../model/format/bundled.ts';
import { loadModel } from '../../model/load.ts';
import { createBackend } from '../../native/backends.ts';
import { findPython } from '../../peers/python.ts';
import { TransformersPeer, transformersPeerCommand } from '../../peers/transformers-peer.ts';
import { captureEnvironment } from '../../records/environment.ts';
import { interruptible } from '../interrupt.ts';
import { print, tell } from '../output.ts';
import { integer } from '../parse.ts';
import { progressDisplay } from '../progress-display.ts';

interface VersusFlags {
  readonly model: string;
  readonly tokens: number;
  readonly newTokens: number;
  readonly rounds: number;
  readonly threads: number;
  readonly python?: string;
  readonly out?: string;
  readonly json: boolean;
}

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

/** moabench bench versus-transformers. */
export function versusCommand(): Command {
  return new Command('versus-transformers')
    .description(
      "Time prefill and decode on the cpu beside Hugging Face's transformers: same model, prompt and threads, rounds in random order",
    )
    .option('--model <folder>', 'a Hugging Face folder, or bundled:reference', BUNDLED_MODEL)
    .option('--tokens <n>', 'of the prompt', integer, 4096)
    .option('--new-tokens <n>', 'decode steps', integer, 32)
    .option('--rounds <n>', 'timings of each; the first warms up', integer, 11)
    .option('--threads <n>', 'of both', integer, 2)
    .option('--python <file>', 'a Python that has transformers (default: MOABENCH_PYTHON, else the first python3 that has it)')
    .option('--out <file>', 'write the record as JSON')
    .option('--json', 'print the record as JSON', false)
    .addHelpText('after', '\nExample:\n  $ moabench bench versus-transformers --tokens 4096 --out versus-pytorch.json')
    .action(versus);
}

async function versus(flags: VersusFlags): Promise<void> {
  const loadAverage = loadavg();
  const python = await findPython({ asked: flags.python, module: 'transformers' });
  const log = join(mkdtempSync(join(tmpdir(), 'moabench-peers-')), 'transformers.log');
  tell(`the peer's log: ${log}\n`);
  const { threads, tokens, newTokens, rounds } = flags;
  const backend = await createBackend({ name: 'cpu', threads });
  const display = progressDisplay({ quiet: false });
  try {
    const model = await loadModel({ path: flags.model, backend, text: 'required' });
    const { report, versions } = await interruptible(
      async ({ signal }) => {
        const command = transformersPeerCommand(python);
        const peer = await TransformersPeer.launch({ command, model: resolve(modelPath(flags.model)), threads, log, signal });
        try {
          const options = { tokens, newTokens, rounds, signal, onProgress: display.onProgress };
          return { report: await versusTransformers(model, peer, options), versions: peer.hello.versions };
        } finally {
          await peer.close();
        }
      },
      { beforeExit: () => display.stop() },
    );
    display.stop();
    const { description } = backend;
    const record = {
      version: 1,
      kind: 'versus-transformers',
      environment: captureEnvironment({ root: ROOT, backend: { name: 'cpu', description, details: {} }, loadAverage }),
      backend: description,
      threads,
      peer: versions,
      ...report,
    };
    if (flags.out !== undefined) writeFileAtomic(flags.out, `${JSON.stringify(record)}\n`);
    print(flags.json ? `${JSON.stringify(record)}\n` : `${description}\n${versusText(report)}\n`);
    model.dispose();
  } finally {
    await backend.dispose();
  }
}
