// Influence profiles of one model on two backends, for parity.mjs: relative L1 distances per sample, and of the sums over the samples
// of a length, which is what plans are made of. A sample whose loss is almost 0 has a gradient of little more than rounding: its own
// distance says nothing, and in the sum it weighs nothing.
import { influenceProfile } from '../../dist/model/profile/influence.js';

const CRITERIA = ['elementwise', 'elementwiseSink', 'joint'];

export function profileOf(model, { tokens, sample }) {
  const completion = Int32Array.from(model.tokenizer.encode(sample.completion ?? sample.answers[0]));
  return influenceProfile(model, {
    tokens: Int32Array.from([...tokens, ...completion]),
    answerStart: tokens.length,
    sink: 64,
    epsilon: 2 ** -23,
  });
}

const byCriterion = (f) => Object.fromEntries(CRITERIA.map((criterion) => [criterion, f(criterion)]));

function relativeL1(actual, wanted) {
  let [difference, total] = [0, 0];
  wanted.forEach((x, i) => {
    difference += Math.abs(actual[i] - x);
    total += Math.abs(x);
  });
  return difference / total;
}

/** Sums [layers * kvHeads, bins] of profiles whose sequences differ a little in length. */
function sumOf(profiles, criterion, rows) {
  const bins = Math.max(...profiles.map((profile) => profile.bins));
  const sum = new Float64Array(rows * bins);
  for (const profile of profiles) {
    profile[criterion].forEach((x, i) => {
      sum[Math.floor(i / profile.bins) * bins + (i % profile.bins)] += x;
    });
  }
  return sum;
}

/** `items` name the task and length of each pair of profiles; `rows` = layers * kvHeads. */
export function compareProfiles(items, { wanted, got, rows }) {
  const samples = items.map(({ task, length }, i) => ({
    task,
    length,
    loss: [wanted[i].loss, got[i].loss],
    ...byCriterion((criterion) => relativeL1(got[i][criterion], wanted[i][criterion])),
  }));
  const lengths = [...new Set(items.map(({ length }) => length))].map((length) => {
    const ofLength = (profiles) => profiles.filter((_, i) => items[i].length === length);
    const [want, have] = [ofLength(wanted), ofLength(got)];
    const distance = (criterion) => relativeL1(sumOf(have, criterion, rows), sumOf(want, criterion, rows));
    return { length, samples: want.length, ...byCriterion(distance) };
  });
  return { samples, lengths };
}

/** Lines for a person. */
export function profileLines({ samples, lengths }) {
  const text = (of) => CRITERIA.map((criterion) => `${criterion} ${of(criterion)}`).join(', ');
  const mean = (criterion) => samples.reduce((sum, sample) => sum + sample[criterion], 0) / samples.length;
  const worst = (criterion) => Math.max(...samples.map((sample) => sample[criterion]));
  return [
    ...lengths.map((l) => `influence at ${l.length}, relative L1 of the sum over ${l.samples}: ${text((c) => l[c].toExponential(1))}`),
    `influence, relative L1 per sample, mean (worst): ${text((c) => `${mean(c).toExponential(1)} (${worst(c).toExponential(1)})`)}`,
  ];
}
