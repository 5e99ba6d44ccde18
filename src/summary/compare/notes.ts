import { listed, numbered } from '../phrases.ts';
import type { Comparison } from './comparison.ts';
import { wasBusy } from './machine-class.ts';
import type { MethodPair, Side, Sides } from './sides.ts';

type Found = Pick<Comparison, 'timings' | 'memory' | 'quality' | 'endings' | 'onlyBase' | 'onlyHead'>;

/** Sentences that a reader needs besides the rows: how else the two runs differ, and what was not judged. */
export function notesOf(methods: readonly MethodPair[], sides: Sides, found: Found): string[] {
  const { base, head } = sides;
  return [
    ...(isSameRun(base, head) ? ['Both folders hold the same run.'] : []),
    ...setupNotes(base, head),
    ...planNotes(methods, base, head),
    ...unjudged(found),
    ...(['base', 'head'] as const).flatMap((name) =>
      found.timings.length > 0 && wasBusy(sides[name])
        ? [`Other programs were running when ${name.toUpperCase()} was timed, so that its times are not judged.`]
        : [],
    ),
    ...(['base', 'head'] as const).flatMap((name) =>
      sides[name].selection.unknownStretch
        ? [`${name.toUpperCase()} has records of version 1, which do not say what samples hold or which machine timed.`]
        : [],
    ),
    ...partNotes(found),
    ...alone(methods, base, head),
    ...otherCells(found),
    ...whatWouldDecide(found),
  ];
}

function otherCells({ onlyBase, onlyHead }: Found): string[] {
  const counts = [
    ...(onlyBase.length === 0 ? [] : [`${onlyBase.length} in BASE`]),
    ...(onlyHead.length === 0 ? [] : [`${onlyHead.length} in HEAD`]),
  ];
  return counts.length === 0 ? [] : [`Cells that one run alone has are not compared: ${listed(counts)}.`];
}

/** Says which further measurements would settle the undecided rows. */
function whatWouldDecide({ quality, timings, endings }: Found): string[] {
  const unfinished = endings.filter(({ head }) => head === 'unfinished').length;
  const isOpen = ({ verdict }: { readonly verdict: string }): boolean => verdict === 'undecided';
  return [
    ...(unfinished > 0 ? [`HEAD has not finished ${numbered(unfinished, 'cell')} that BASE has; go on with it by --resume.`] : []),
    ...(quality.some(isOpen) ? ['More samples a task, in both runs, decide quality that is undecided.'] : []),
    ...(timings.some(isOpen)
      ? ['More processes (efficiency.processes) on a quiet machine, in both runs, decide times that are undecided.']
      : []),
  ];
}

function isSameRun(base: Side, head: Side): boolean {
  return base.run.runId === head.run.runId && base.facts.finished === head.facts.finished;
}

function setupNotes(base: Side, head: Side): string[] {
  const pairs: readonly (readonly [string, string, string])[] = [
    ['suite', base.run.suite.name, head.run.suite.name],
    ['backend', base.run.backend.name, head.run.backend.name],
    ['data type of weights', base.run.model.weightDType, head.run.model.weightDType],
    ['data type of the KV cache', base.run.model.kvDType, head.run.model.kvDType],
    ['data type of activations', base.run.backend.activationDType ?? 'f32', head.run.backend.activationDType ?? 'f32'],
  ];
  return pairs.flatMap(([name, before, now]) => (before === now ? [] : [`Another ${name}: ${before} in BASE, ${now} in HEAD.`]));
}

function planNotes(methods: readonly MethodPair[], base: Side, head: Side): string[] {
  const changed = methods.filter((method) => {
    const of = (side: Side, id: string) => side.selection.plans.find((plan) => plan.method === id)?.planHash;
    const [before, now] = [of(base, method.base), of(head, method.head)];
    return before !== undefined && now !== undefined && before !== now;
  });
  return changed.length === 0 ? [] : [`The plans of ${listed(changed.map(({ label }) => label))} are not the same in both runs.`];
}

/** The reasons why rows were not judged, each with the number of those rows. */
function unjudged({ timings, memory, quality }: Found): string[] {
  const reasons = new Map<string, number>();
  const count = (rows: readonly { verdict: string; reason: string }[], what: string): void => {
    for (const { verdict, reason } of rows)
      if (verdict === 'not-comparable') reasons.set(`${what}: ${reason}`, (reasons.get(`${what}: ${reason}`) ?? 0) + 1);
  };
  count(timings, 'timing');
  count(memory, 'memory');
  count(quality, 'quality');
  return [...reasons].map(([reason, n]) => {
    const [what, ...why] = reason.split(': ');
    return `${numbered(n, 'comparison')} of ${what} ${n === 1 ? 'is' : 'are'} shown and not judged: ${why.join(': ')}.`;
  });
}

/** Says how many samples only one run has. They are left out, because means are over the samples that both runs have. */
function partNotes({ quality }: Found): string[] {
  const [base, head] = [Math.max(0, ...quality.map((row) => row.onlyBase)), Math.max(0, ...quality.map((row) => row.onlyHead))];
  return base + head === 0 ? [] : [`Samples that one run alone has are left out: up to ${base} a method in BASE and ${head} in HEAD.`];
}

function alone(methods: readonly MethodPair[], base: Side, head: Side): string[] {
  const of = (side: Side, paired: readonly string[], name: string): string[] => {
    const ids = side.suite.methods.flatMap(({ id }) => (paired.includes(id) ? [] : [id]));
    return ids.length === 0 ? [] : [`Only ${name} has ${listed(ids)}; --map pairs a renamed method.`];
  };
  return [
    ...of(
      base,
      methods.map((method) => method.base),
      'BASE',
    ),
    ...of(
      head,
      methods.map((method) => method.head),
      'HEAD',
    ),
  ];
}
