import { freemem, totalmem } from 'node:os';
import { Command } from 'commander';
import { listBackends } from '../../native/backends.ts';
import { tfjsFlavour } from '../../reference/tfjs-load.ts';
import { print } from '../output.ts';

/** moabench doctor: what this machine has, and why something is missing. */
export function doctorCommand(): Command {
  return new Command('doctor')
    .description('List backends, libraries and memory, and say why anything is missing')
    .option('--json', 'as JSON', false)
    .action(async (flags: { json: boolean }) => {
      const report = {
        node: process.version,
        memory: { totalBytes: totalmem(), freeBytes: freemem() },
        backends: listBackends(),
        tfjs: await tfjsFlavour(),
      };
      print(flags.json ? `${JSON.stringify(report)}\n` : doctorText(report));
    });
}

interface DoctorReport {
  readonly node: string;
  readonly memory: { readonly totalBytes: number; readonly freeBytes: number };
  readonly backends: ReturnType<typeof listBackends>;
  readonly tfjs: Awaited<ReturnType<typeof tfjsFlavour>>;
}

/** One line a thing; a missing backend says why and what to do. Exported for its test. */
export function doctorText({ node, memory, backends, tfjs }: DoctorReport): string {
  const gib = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`;
  const lines = [`node      ${node}`, `memory    ${gib(memory.freeBytes)} free of ${gib(memory.totalBytes)}`];
  for (const b of backends) {
    lines.push(`${b.name.padEnd(9)} ${b.available ? `yes  ${b.description}` : `no   ${b.reason}`}`);
    if (!b.available && b.hint !== undefined) lines.push(`${''.padEnd(14)} hint: ${b.hint}`);
  }
  lines.push(`${'tfjs'.padEnd(9)} yes  ${tfjs.flavour} ${tfjs.version}: ${tfjs.reason}`);
  return `${lines.join('\n')}\n`;
}
