import { logRatioInterval } from '../core/statistics-timing.ts';
import { spansAt } from '../plan/spans.ts';
import { EQUAL_BUDGET, largestBudgetGap } from './contrasts.ts';
import type { Environment } from './environment.ts';
import { percent, ratioText } from './phrases.ts';
import { groupBy, type Selection } from './selection.ts';
import type { Check, Summary } from './summary.ts';

export interface CheckInput {
  readonly summary: Omit<Summary, 'checks' | 'verdicts'>;
  readonly selection: Selection;
  readonly environment: Environment | null;
}

/** Methods whose budgets are this close were meant to be equal. */
const MEANT_EQUAL = 0.1;
const SMALL_STUDY = 0.1;
/** Load per usable core above which timings of other programs mix in. */
const BUSY_LOAD = 0.5;

/** Looks for what would make the conclusions wrong. Every check says what it saw, also when it passed. */
export function checkRun(input: CheckInput): Check[] {
  return [
    finished(input),
    residentBytes(input),
    equalBudgets(input),
    sameSamples(input),
    untruncated(input),
    denseIsBest(input),
    denseCanDoIt(input),
    evidenceOutOfSight(input),
    answersEnd(input),
    power(input),
    timingNoise(input),
    quietMachine(input),
    cleanCode(input),
  ];
}

function check(id: string, severity: Check['severity'], status: Check['status'], message: string): Check {
  return { id, severity, status, message };
}

function finished({ summary }: CheckInput): Check {
  const { completed, skipped, failed } = summary.cells;
  const ok = failed.length + skipped.length === 0;
  const message = ok
    ? `All ${completed} cells completed.`
    : `${completed} cells completed, ${skipped.length} were skipped and ${failed.length} failed.`;
  return check('cells', 'warning', completed === 0 ? 'untested' : ok ? 'passed' : 'failed', message);
}

function residentBytes({ selection }: CheckInput): Check {
  const records = [...selection.samples, ...selection.losses];
  const differ = records.filter((record) => record.kvBytes.planned !== record.kvBytes.resident);
  if (records.length === 0)
    return check('resident-bytes', 'blocking', 'untested', 'No sample was scored, so resident KV bytes are unknown.');
  const message =
    differ.length === 0
      ? `Resident KV bytes equal the plan's in all ${records.length} scored samples.`
      : `Resident KV bytes differ from the plan's in ${differ.length} of ${records.length} samples (first: ${differ[0]?.method}, ${differ[0]?.sampleId}).`;
  return check('resident-bytes', 'blocking', differ.length === 0 ? 'passed' : 'failed', message);
}

function equalBudgets({ summary }: CheckInput): Check {
  const compressed = summary.methods.filter((method) => method.id !== summary.baseline && method.kvBytes.length > 0);
  const pairs = compressed.flatMap((a, i) => compressed.slice(i + 1).map((b) => ({ a, b, gap: largestBudgetGap(a, b) })));
  const meant = pairs.filter(({ gap }) => gap <= MEANT_EQUAL);
  const unequal = meant.filter(({ gap }) => gap > EQUAL_BUDGET);
  if (meant.length === 0) return check('equal-budgets', 'warning', 'untested', 'No two compressed methods have nearly the same KV memory.');
  const worst = unequal.toSorted((x, y) => y.gap - x.gap)[0];
  if (worst === undefined)
    return check(
      'equal-budgets',
      'warning',
      'passed',
      `${meant.length} pairs of methods compare at KV bytes equal to within ${percent(EQUAL_BUDGET)}.`,
    );
  const names = unequal.map(({ a, b }) => `${a.id} and ${b.id}`).join('; ');
  return check(
    'equal-budgets',
    'warning',
    'failed',
    `Nearly but not equal KV bytes: ${names} (up to ${percent(worst.gap, 1)} apart at one length). They are not compared as equals.`,
  );
}

function sameSamples({ selection }: CheckInput): Check {
  const conditions = groupBy(selection.samples, (sample) => `${sample.part} ${sample.task} ${sample.length}`);
  const uneven = [...conditions].filter(([, samples]) => {
    const sets = [...groupBy(samples, (sample) => sample.method).values()].map((own) =>
      own
        .map((sample) => sample.sampleId)
        .sort()
        .join('\n'),
    );
    return new Set(sets).size > 1;
  });
  if (conditions.size === 0) return check('same-samples', 'blocking', 'untested', 'No sample was scored.');
  return uneven.length === 0
    ? check('same-samples', 'blocking', 'passed', `All methods answered the same samples under all ${conditions.size} conditions.`)
    : check(
        'same-samples',
        'blocking',
        'failed',
        `Methods answered different samples in ${uneven.map(([name]) => name).join(', ')}; only shared ones are paired, totals are not comparable.`,
      );
}

function untruncated({ selection }: CheckInput): Check {
  const cut = selection.samples.filter((sample) => sample.truncatedTokens > 0).length;
  if (selection.samples.length === 0) return check('truncation', 'warning', 'untested', 'No sample was scored.');
  return check(
    'truncation',
    'warning',
    cut === 0 ? 'passed' : 'failed',
    cut === 0 ? 'No prompt was truncated.' : `${cut} of ${selection.samples.length} prompts were truncated.`,
  );
}

function denseIsBest({ summary }: CheckInput): Check {
  const better = summary.methods.filter(
    (method) => (method.retrieval?.meanToBaseline?.delta.low ?? 0) > 0 || (method.scores?.meanToBaseline?.delta.low ?? 0) > 0,
  );
  const tested = summary.methods.some((method) => method.retrieval?.meanToBaseline || method.scores?.meanToBaseline);
  if (!tested) return check('baseline-best', 'warning', 'untested', 'No method was compared with the baseline.');
  return better.length === 0
    ? check('baseline-best', 'warning', 'passed', `No compressed method beats ${summary.baseline} beyond noise.`)
    : check(
        'baseline-best',
        'warning',
        'failed',
        `${better.map((method) => method.id).join(', ')} beat ${summary.baseline} beyond noise: suspect the baseline, its prompts or the scorer.`,
      );
}

function denseCanDoIt({ summary }: CheckInput): Check {
  const shortest = summary.methods.find((method) => method.id === summary.baseline)?.retrieval?.lengths[0];
  if (shortest === undefined) return check('baseline-able', 'warning', 'untested', 'The baseline has no retrieval score.');
  const { estimate } = shortest.accuracy;
  return check(
    'baseline-able',
    'warning',
    estimate >= 0.5 ? 'passed' : 'failed',
    `${summary.baseline} answers ${percent(estimate)} at its shortest length, ${shortest.length} tokens${estimate >= 0.5 ? '' : ': too few to show what compression loses'}.`,
  );
}

/** Samples whose evidence every head's window reaches directly prove nothing about compression. */
function evidenceOutOfSight({ selection, summary }: CheckInput): Check {
  const placed = selection.samples.filter((sample) => sample.part === 'retrieval' && sample.evidenceDistance !== null);
  const parts = selection.plans.flatMap((record) => {
    const own = placed.filter((sample) => sample.method === record.method);
    if (record.method === summary.baseline || own.length === 0) return [];
    const inAll = own.filter(
      (sample) =>
        (sample.evidenceDistance ?? 0) < Math.min(...spansAt(record.plan, sample.promptTokens + sample.newTokens)) - record.plan.sink,
    ).length;
    return [{ method: record.method, share: inAll / own.length }];
  });
  if (parts.length === 0) return check('evidence-outside', 'note', 'untested', 'No sample says where its evidence is.');
  const easy = parts.filter(({ share }) => share > 0.9);
  const text = parts.map(({ method, share }) => `${method} ${percent(share)}`).join(', ');
  return check(
    'evidence-outside',
    'note',
    easy.length === 0 ? 'passed' : 'failed',
    `Share of samples whose evidence lies inside the window of every head: ${text}.`,
  );
}

function answersEnd({ selection, summary }: CheckInput): Check {
  const shares = summary.methods.flatMap((method) => {
    const own = selection.samples.filter((sample) => sample.method === method.id);
    return own.length === 0 ? [] : [{ id: method.id, share: own.filter((sample) => sample.finish === 'length').length / own.length }];
  });
  if (shares.length === 0) return check('answers-end', 'note', 'untested', 'No sample was scored.');
  const base = shares.find(({ id }) => id === summary.baseline)?.share ?? 0;
  const longer = shares.filter(({ share }) => share > base + 0.1);
  const message =
    longer.length === 0
      ? `Answers end by themselves about as often as with ${summary.baseline} (cut off there: ${percent(base)}).`
      : `Cut off at the token limit more often than ${summary.baseline} (${percent(base)}): ${longer.map(({ id, share }) => `${id} ${percent(share)}`).join(', ')}. Longer answers cost speed.`;
  return check('answers-end', 'note', longer.length === 0 ? 'passed' : 'failed', message);
}

function power({ summary }: CheckInput): Check {
  const paired = summary.methods.flatMap((method) => (method.retrieval?.meanToBaseline ? [method.retrieval.meanToBaseline] : []));
  const undecided = paired.filter(({ p }) => p >= 0.05);
  const [first] = (undecided.length === 0 ? paired : undecided).toSorted((a, b) => (b.detectable ?? 0) - (a.detectable ?? 0));
  if (first === undefined || first.detectable === null) return check('power', 'note', 'untested', 'No paired retrieval comparison.');
  const ok = undecided.length === 0 || first.detectable <= SMALL_STUDY;
  return check(
    'power',
    'note',
    ok ? 'passed' : 'failed',
    `With ${first.delta.n} pairs over all lengths, true differences of ${percent(first.detectable)} and more show up (80% power)${ok ? '' : '; smaller ones are likely missed'}.`,
  );
}

/** Odd against even rounds of the baseline: what the clock says between two equal programs. */
function timingNoise({ selection, summary }: CheckInput): Check {
  const halves = selection.measurements.flatMap((timing) => {
    if (timing.method !== summary.baseline || timing.samplesMs.length < 6) return [];
    const [even, odd] = [0, 1].map((parity) => timing.samplesMs.filter((_, i) => i % 2 === parity)) as [number[], number[]];
    return [logRatioInterval(even, odd, { seed: 'timing-noise' })];
  });
  if (halves.length === 0)
    return check('timing-noise', 'note', 'untested', 'Fewer than 6 rounds of the baseline: too few to compare it with itself.');
  const worst = halves.toSorted((a, b) => Math.abs(Math.log(b.estimate)) - Math.abs(Math.log(a.estimate)))[0] as (typeof halves)[number];
  const biased = halves.filter(({ low, high }) => low > 1 || high < 1).length;
  return check(
    'timing-noise',
    'warning',
    biased === 0 ? 'passed' : 'failed',
    `${summary.baseline} timed against itself (odd and even rounds): ${ratioText(worst)} at worst of ${halves.length} conditions${biased === 0 ? ', which includes 1' : `; ${biased} exclude 1, so the machine drifted`}.`,
  );
}

function quietMachine({ environment, selection }: CheckInput): Check {
  if (environment === null || selection.measurements.length === 0)
    return check('quiet-machine', 'warning', 'untested', 'No timing, or no record of the machine.');
  const load = environment.cpu.loadAverage[0] ?? 0;
  const cores = environment.container.cpuQuota ?? environment.cpu.usableCores;
  const busy = load / cores > BUSY_LOAD;
  return check(
    'quiet-machine',
    'warning',
    busy ? 'failed' : 'passed',
    `Load average ${load.toFixed(2)} on ${cores} cores when the run started${busy ? ': other programs were running, so absolute timings are unsafe' : ''}.`,
  );
}

function cleanCode({ environment }: CheckInput): Check {
  const git = environment?.git ?? null;
  if (git === null) return check('clean-code', 'note', 'untested', 'Not run from a git checkout.');
  return check(
    'clean-code',
    'note',
    git.dirty ? 'failed' : 'passed',
    `Commit ${git.commit.slice(0, 12)}${git.dirty ? ' with uncommitted changes' : ', without uncommitted changes'}.`,
  );
}
