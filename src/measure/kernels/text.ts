import type { TimingEstimate } from '../../core/statistics/timing.ts';
import { SECTIONS } from './case.ts';
import type { ArmRecord, CaseRecord, KernelsBody, TargetRecord } from './record.ts';

/** The record as lines: the ceilings, a block for each case, the sweep as a table, then everything that is wrong. */
export function kernelsText(body: KernelsBody): string {
  const sections = SECTIONS.filter((section) => section !== 'sweep').map((section) => ({
    section,
    cases: body.cases.filter((one) => one.section === section),
  }));
  return [
    ...body.ceilings.map(({ process, ceiling, best, unit }) => `ceiling of process ${process}: ${ceiling} ${best.toPrecision(4)} ${unit}`),
    ...sections.flatMap(({ section, cases }) => (cases.length === 0 ? [] : ['', section, ...cases.flatMap(caseLines)])),
    ...sweepLines(body.cases.filter(({ section }) => section === 'sweep')),
    '',
    ...endLines(body),
  ].join('\n');
}

function caseLines({ name, time, rate, share, arms, targets, note }: CaseRecord): readonly string[] {
  const head = [
    `  ${name}`,
    time === null ? 'not timed here' : `${time.estimate.toPrecision(4)} ms`,
    ...(rate === null ? [] : [`${rate.value.toPrecision(3)} ${rate.unit}`]),
    ...(share === null ? [] : [`${interval(share, (x) => `${(100 * x).toFixed(1)}%`)} of the ceiling`]),
    ...(note === null ? [] : [`(${note})`]),
  ].join('  ');
  return [head, ...arms.slice(1).map(armLine), ...targets.map(targetLine)];
}

function armLine({ id, ratio, unavailable }: ArmRecord): string {
  if (ratio !== null)
    return `    ${id}: ${interval(ratio, (x) => x.toFixed(3))} of our time, n = ${ratio.rounds} rounds in ${ratio.processes === 1 ? 'one process' : `${ratio.processes} processes`}`;
  return `    ${id}: did not run beside ours${unavailable === null ? '' : ` (${unavailable})`}`;
}

function targetLine({ name, atLeast, atMost, value, met }: TargetRecord): string {
  const bound = atLeast === undefined ? `at most ${atMost}` : `at least ${atLeast}`;
  const verdict = met === null ? 'not measured' : met ? 'met' : 'MISSED';
  return `    target: ${name} ${bound}: ${value === null ? '' : `${interval(value, (x) => x.toFixed(3))} `}${verdict}`;
}

function interval({ estimate, low, high }: TimingEstimate, text: (x: number) => string): string {
  return low === null || high === null ? text(estimate) : `${text(estimate)} [${text(low)}, ${text(high)}]`;
}

/** The sweep as a table: one line for each shape, one column for each kind of spans. */
function sweepLines(cases: readonly CaseRecord[]): readonly string[] {
  if (cases.length === 0) return [];
  const rows = new Map<string, string[]>();
  for (const { name, time, share } of cases) {
    const [, shape = '', kind = ''] = /^(d\d+ group \d+ B\d+) (.*)$/.exec(name) ?? [];
    const us = time === null ? '-' : `${(1e3 * time.estimate).toFixed(1)} us`;
    rows.set(shape, [...(rows.get(shape) ?? []), `${kind} ${us}${share === null ? '' : ` ${(100 * share.estimate).toFixed(0)}%`}`]);
  }
  return ['', 'sweep: time, share of the read ceiling', ...[...rows].map(([shape, cells]) => `  ${shape.padEnd(20)} ${cells.join('; ')}`)];
}

function endLines({ checks, cases, failures }: KernelsBody): readonly string[] {
  const wrong = checks.filter(({ passed }) => !passed);
  const targets = cases.flatMap((one) => one.targets);
  return [
    `checks: ${checks.length - wrong.length} passed, ${wrong.length} failed`,
    ...wrong.map(
      ({ process, name, error, limit, note }) => `WRONG ${name} (process ${process}): ${error ?? 'not finite'} > ${limit} ${note}`,
    ),
    ...failures.map(({ process, name, reason }) => `FAILED ${name} (process ${process}): ${reason}`),
    `targets: ${targets.filter(({ met }) => met === true).length} of ${targets.length} met`,
  ];
}
