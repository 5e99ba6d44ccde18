import { stringify } from 'csv-stringify/sync';
import { kvShare, shareLength } from '../summary/kv-share.ts';
import type { Selection } from '../summary/selection.ts';
import type { Timed } from '../summary/speed/estimates.ts';
import type { MethodSummary, Paired, Point, Summary } from '../summary/summary.ts';
import { tokensPerSecondPerGB } from './cost.ts';

type Row = { readonly [column: string]: string | number | boolean | null };

/**
 * File name -> the text of a CSV table for spreadsheets and data frames. Shares are 0..1, sizes are in bytes, and times are in ms. Tables without rows are left
 * out.
 */
export function csvFiles(summary: Summary, selection: Selection): Map<string, string> {
  const perMethod = (rows: (method: MethodSummary) => readonly Row[]): Row[] =>
    summary.methods.flatMap((method) => rows(method).map((row) => ({ method: method.id, ...row })));
  const tables: { readonly [name: string]: readonly Row[] } = {
    methods: perMethod((method) => [methodRow(method, shareLength(summary))]),
    retrieval: perMethod((method) =>
      (method.retrieval?.lengths ?? []).map((at) => ({
        length: at.length,
        correct: at.correct,
        whole: at.whole,
        ...estimate('accuracy', at.accuracy),
        ...paired(at.toBaseline),
      })),
    ),
    depth: perMethod((method) =>
      (method.retrieval?.depths ?? []).map((at) => ({
        length: at.length,
        depthLow: at.depthLow,
        depthHigh: at.depthHigh,
        correct: at.correct,
        ...estimate('accuracy', at.accuracy),
      })),
    ),
    scores: perMethod((method) =>
      (method.scores?.tasks ?? []).map((task) => ({
        task: task.name,
        category: task.category,
        whole: task.whole,
        ...estimate('score', task.score),
        ...estimate('relative', task.relative),
      })),
    ),
    perplexity: perMethod((method) =>
      method.perplexity === null
        ? []
        : [
            {
              length: method.perplexity.length,
              ...estimate('natsPerToken', method.perplexity.loss),
              perplexity: method.perplexity.loss === null ? null : Math.exp(method.perplexity.loss.estimate),
              ...paired(method.perplexity.toBaseline),
            },
          ],
    ),
    speed: perMethod((method) =>
      (['prefill', 'decode'] as const).flatMap((measure) =>
        method[measure].map((s) => ({
          measure,
          cache: s.cache,
          length: s.length,
          batch: s.batch,
          ...timed('tokensPerSecond', s.tokensPerSecond),
          ...timed('latencyMs', s.latencyMs),
          lowerQuartileMs: s.lowerQuartileMs,
          medianMs: s.medianMs,
          ...timed('speedup', s.speedup),
          processes: s.latencyMs.processes,
          rounds: s.latencyMs.rounds,
          kvBytes: s.kvBytes.resident,
          peakBytes: s.peakBytes,
          rssBytes: s.rssBytes,
          ...timed('tokensPerSecondPerGB', tokensPerSecondPerGB(s)),
        })),
      ),
    ),
    memory: perMethod((method) => method.kvBytes.map((at) => ({ ...at }))),
    'device-memory': deviceMemoryRows(selection),
    capacity: perMethod((method) => method.maxBatch.map((at) => ({ ...at }))),
    contrasts: summary.contrasts.map(({ paired: result, ...contrast }) => ({ ...contrast, ...paired(result) })),
    families: summary.families,
    'speed-contrasts': summary.speedContrasts.map(({ ratio, ...contrast }) => ({
      ...contrast,
      ...timed('ratio', ratio),
      rounds: ratio.rounds,
    })),
    unfit: perMethod((method) => method.unfit.map((at) => ({ ...at }))),
    samples: selection.samples.map((s) => ({
      method: s.method,
      part: s.part,
      task: s.task,
      length: s.length,
      sampleId: s.sampleId,
      depth: s.depth,
      promptTokens: s.promptTokens,
      newTokens: s.newTokens,
      finish: s.finish,
      score: s.score,
      correct: s.correct,
      kvBytes: s.kvBytes.resident,
      output: s.output,
      expected: s.expected.join(' | '),
    })),
    losses: selection.losses.map((l) => ({
      method: l.method,
      task: l.task,
      length: l.length,
      sampleId: l.sampleId,
      promptTokens: l.promptTokens,
      answerTokens: l.answerTokens,
      natsPerToken: l.sumLoss / l.answerTokens,
      kvBytes: l.kvBytes.resident,
    })),
    timings: selection.measurements.flatMap((m) =>
      m.samplesMs.map((ms, round) => ({
        method: m.method,
        measure: m.measure,
        cache: m.cache,
        length: m.length,
        batch: m.batch,
        newTokens: m.newTokens,
        control: m.control,
        process: m.process,
        round,
        passes: m.passes?.[round] ?? 1,
        ms,
      })),
    ),
  };
  return new Map(
    Object.entries(tables).flatMap(([name, rows]) =>
      rows.length === 0 ? [] : [[`${name}.csv`, stringify([...rows], { header: true, cast: { boolean: String, string: asText } })]],
    ),
  );
}

/** The start of a formula, also after spaces, line ends, control characters and byte order marks, which a spreadsheet may drop first. */
const FORMULA = /^[\s\u0000-\u001f\u200b\ufeff]*[=+\-@|%\t\r\uff1d\uff0b\uff0d\uff20]/;

/** Text that a spreadsheet does not take for a formula. Text that would be one gets an apostrophe before it. */
function asText(value: string): string {
  return FORMULA.test(value) ? `'${value}` : value;
}

/** The same memory as counted by the plan, by the allocator and by the device, side by side. */
function deviceMemoryRows({ measurements, capacities }: Selection): Row[] {
  const timed = measurements.flatMap(({ method, measure, cache, length, batch, kvBytes, peakBytes, deviceMemory }) =>
    deviceMemory
      ? [
          {
            method,
            measure,
            cache,
            length,
            batch,
            plannedKvBytes: kvBytes.planned,
            residentKvBytes: kvBytes.resident,
            peakBytes,
            ...deviceMemory,
          },
        ]
      : [],
  );
  const searched = capacities.flatMap(({ method, cache, length, maxBatch, trials, deviceMemory }) => {
    if (!deviceMemory) return [];
    const peakBytes = trials.find((trial) => trial.batch === maxBatch)?.peakBytes ?? null;
    const common = { method, measure: 'maxBatch', cache, length, batch: maxBatch };
    return [{ ...common, plannedKvBytes: null, residentKvBytes: null, peakBytes, ...deviceMemory }];
  });
  return [...timed, ...searched];
}

function methodRow(method: MethodSummary, length: number | null): Row {
  const { retrieval, scores, perplexity } = method;
  return {
    label: method.label,
    kind: method.method,
    heterogeneity: method.heterogeneity,
    planHash: method.planHash,
    kvRatio: kvShare(method, length),
    ...estimate('retrievalMean', retrieval?.mean ?? null),
    effectiveContext: retrieval?.effectiveContext?.tokens ?? null,
    effectiveContextLow: retrieval?.effectiveContext?.low ?? null,
    effectiveContextHigh: retrieval?.effectiveContext?.high ?? null,
    ...estimate('scoreRelative', scores?.mean?.relative ?? null),
    ...estimate('natsPerToken', perplexity?.loss ?? null),
  };
}

function timed(name: string, value: Timed | null): Row {
  return { [name]: value?.estimate ?? null, [`${name}Low`]: value?.low ?? null, [`${name}High`]: value?.high ?? null };
}

function estimate(name: string, value: Point | null): Row {
  return {
    [name]: value?.estimate ?? null,
    [`${name}Low`]: value?.low ?? null,
    [`${name}High`]: value?.high ?? null,
    [`${name}N`]: value?.n ?? null,
  };
}

function paired(value: Paired | null): Row {
  return {
    other: value?.other ?? null,
    ...estimate('delta', value?.delta ?? null),
    p: value?.p ?? null,
    pHolm: value?.pHolm ?? null,
    comparisons: value?.comparisons ?? null,
    lost: value?.lost ?? null,
    gained: value?.gained ?? null,
  };
}
