import type { Environment } from '../records/environment.ts';
import { bytesText, countText, numbered } from '../summary/phrases.ts';
import type { Selection } from '../summary/selection.ts';
import type { Summary } from '../summary/summary.ts';

export type Fact = readonly [name: string, value: string];

/** What was compared: model, backend, methods, samples and timings, as names with values. */
export function comparisonFacts(summary: Summary, selection: Selection): Fact[] {
  const { model } = summary;
  const lengths = [...new Set(selection.samples.map((sample) => sample.length))].sort((a, b) => a - b);
  const facts: (Fact | null)[] = [
    model === null
      ? null
      : [
          'Model',
          `${model.name}, ${numbered(model.layers, 'layer')} x ${numbered(model.kvHeads, 'KV head')}${model.parameters === null ? '' : `, ${(model.parameters / 1e6).toFixed(1)} M parameters`}, ${model.weightDType} weights, ${model.kvDType} KV`,
        ],
    summary.backend === null ? null : ['Backend', summary.backend],
    ['Methods', `${summary.methods.length}, compared with ${summary.baseline}`],
    selection.samples.length === 0
      ? null
      : ['Scored samples', `${countText(selection.samples.length)} at ${lengths.map(countText).join(', ')} tokens`],
    selection.measurements.length === 0
      ? null
      : [
          'Timings',
          `${countText(selection.measurements.reduce((n, m) => n + m.samplesMs.length, 0))} timings of ${numbered(new Set(selection.measurements.map((m) => m.cell)).size, 'contender')} in ${numbered(new Set(selection.measurements.map((m) => m.process)).size, 'process', 'processes')}`,
        ],
    summary.finished === null ? null : ['Finished', `${summary.finished.slice(0, 16).replace('T', ' ')} UTC`],
  ];
  return facts.filter((fact) => fact !== null);
}

/** A sentence that says which comparisons were adjusted together; null when there are none. */
export function familiesText({ families }: Summary): string | null {
  if (families.length === 0) return null;
  const names = families.map(({ name, comparisons }) => `${name} (${comparisons})`);
  return `Comparisons are adjusted (Holm) within each family: ${names.join('; ')}.`;
}

/** A table with one row for each stretch: when, with which code and under which load it measured. It has no rows when no stretch is on record. */
export function stretchTable({ stretches }: Selection): {
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
} {
  const load = (average: readonly number[] | undefined): string => average?.[0]?.toFixed(2) ?? '\u2013';
  const rows = stretches.map(({ environment: { time, git, moabench, cpu, backend }, end, records, timings }) => [
    `${time.slice(0, 16).replace('T', ' ')} UTC`,
    git === null ? `version ${moabench}` : `${git.commit.slice(0, 12)}${git.dirty ? ' with uncommitted changes' : ''}`,
    backend.description,
    load(cpu.loadAverage),
    end === null ? 'stopped' : load(end.loadAverage),
    countText(records),
    countText(timings),
  ]);
  return { head: ['Began', 'Code', 'Backend', 'Load at start', 'Load at end', 'Records', 'of them timings'], rows };
}

/** The machine and the code, as names with values; empty when the environment is not known. */
export function environmentFacts(environment: Environment | null, summary: Summary): Fact[] {
  if (environment === null) return [];
  const { cpu, memory, container, os, git } = environment;
  const variables = Object.entries(environment.variables).map(([name, value]) => `${name}=${value}`);
  const facts: Fact[] = [
    [
      'Processor',
      `${cpu.model}, ${cpu.usableCores} of ${cpu.logicalCores} logical ${cpu.logicalCores === 1 ? 'core' : 'cores'} usable${cpu.governor === null ? '' : `, governor ${cpu.governor}`}`,
    ],
    ['Load at start', cpu.loadAverage.map((load) => load.toFixed(2)).join(', ')],
    ['Memory', `${bytesText(memory.totalBytes)}${memory.limitBytes === null ? '' : `, limit ${bytesText(memory.limitBytes)}`}`],
    [
      'System',
      `${os.distribution ?? os.platform} (${os.release}, ${os.arch})${container.detected === null ? '' : `, in ${container.detected}`}`,
    ],
    ['Backend', environment.backend.description],
    ...Object.entries(environment.backend.details).map(([name, value]): Fact => [name, String(value)]),
    ['Node.js', environment.node],
    [
      'moabench',
      `${environment.moabench}${git === null ? '' : `, commit ${git.commit.slice(0, 12)}${git.dirty ? ' with uncommitted changes' : ''}`}`,
    ],
    ['Suite', `${summary.suite.name}, ${summary.suite.hash}`],
    ['Weights', summary.model?.weightsHash ?? 'unknown'],
    ['Captured', environment.time],
  ];
  return variables.length === 0 ? facts : [...facts, ['Variables', variables.join(', ')]];
}
