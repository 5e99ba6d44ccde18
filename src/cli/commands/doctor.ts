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

/** The report with one line for each thing; a missing backend says why and what to do. Exported for its test. */
export function doctorText({ node, memory, backends, tfjs }: DoctorReport): string {
  const gib = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`;
  const lines = [`node      ${node}`, `memory    ${gib(memory.freeBytes)} free of ${gib(memory.totalBytes)}`];
  const reference = [`${'tfjs'.padEnd(9)} yes  ${tfjs.flavour} ${tfjs.version}: ${tfjs.reason}`, ...hintLine(tfjs.hint)];
  return `${lines.join('\n')}\n${backendsText(backends)}${reference.join('\n')}\n`;
}

/** One line for each native backend; a missing backend says why and what to do. */
export function backendsText(backends: ReturnType<typeof listBackends>): string {
  const lines = backends.flatMap((b) => {
    if (b.available) return [`${b.name.padEnd(9)} yes  ${b.description}`];
    return [`${b.name.padEnd(9)} no   ${b.reason}`, ...hintLine(b.hint)];
  });
  return lines.map((line) => `${line}\n`).join('');
}

function hintLine(hint: string | undefined): string[] {
  return hint === undefined ? [] : [`${''.padEnd(14)} hint: ${hint}`];
}
