import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve as resolvePath } from 'node:path';

/** The main job in small: every stage on the bundled model at lengths that take seconds. */
const TINY = `
version: 1
name: tiny
model: { path: models/reference, kvDType: bf16 }
methods:
  - { id: dense, method: dense }
  - { id: uniform-50, method: streaming, density: 0.5 }
  - { id: moa-50, method: moa, density: 0.5 }
compress:
  calibration: { tasks: [lines], samplesPerLength: 2, answerTokens: 32 }
  profileLengths: [384, 512]
  constrainLengths: [384, 512]
  validate: { length: 768, samples: 1 }
quality:
  retrieval: { task: lines, lengths: [512], samples: 4 }
  longbench: { tasks: [single_qa], length: 512, samples: 2 }
  perplexity: { tasks: [single_qa], length: 512, samples: 2 }
efficiency:
  processes: 2
  prefill: { lengths: [512], rounds: 3 }
  decode: { lengths: [512], batch: [2], newTokens: 4, segmentMs: 20, rounds: 3 }
  maxBatch: { length: 512, memoryLimitMiB: 48, largest: 4 }
  caches: [dynamic]
`;

/** A fresh folder with the suite in it. */
export function tinySuite(text: string = TINY): { readonly folder: string; readonly suite: string; readonly out: string } {
  const folder = mkdtempSync(join(tmpdir(), 'moabench-e2e-'));
  const suite = join(folder, 'tiny.yaml');
  writeFileSync(suite, text);
  return { folder, suite, out: join(folder, 'run') };
}

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The built command line, as a user runs it; in the repository unless told another folder. */
export function moabench(args: readonly string[], cwd = process.cwd()): { readonly child: ChildProcess; readonly ended: Promise<Ended> } {
  const child = spawn(process.execPath, [resolvePath('dist/cli/main.js'), ...args], { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (data: Buffer) => {
    stdout += data.toString();
  });
  child.stderr.on('data', (data: Buffer) => {
    stderr += data.toString();
  });
  const ended = new Promise<Ended>((resolve) => {
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
  return { child, ended };
}
