// A plan, ours or a published one: what is accepted can be used, and is the same after it was saved.

import { parseJson } from '../../dist/core/json-file.js';
import { exportPublished } from '../../dist/plan/export.js';
import { parsePlan, planHash } from '../../dist/plan/file.js';
import { importPublished, readPublished } from '../../dist/plan/import.js';
import { lintPlan } from '../../dist/plan/lint.js';
import { densityAt, spansAt } from '../../dist/plan/spans.js';
import { fileOf, orRefused } from './only-moa-errors.mjs';

const TOKENS = 1000;
const MODEL = { name: 'fuzzed', weightsHash: null, layers: 2, heads: 4, kvHeads: 2, headDim: 8 };

function use(plan) {
  for (const span of spansAt(plan, TOKENS)) {
    if (!(Number.isInteger(span) && span > 0)) throw new Error(`A span of ${span}`);
  }
  const density = densityAt(plan, TOKENS);
  if (!(density > 0)) throw new Error(`A density of ${density}`);
  lintPlan(plan);
  exportPublished(plan);
  const again = parsePlan(JSON.parse(JSON.stringify(plan)), 'saved');
  if (planHash(again) !== planHash(plan)) throw new Error('Another hash once it was saved');
  return plan;
}

/** Bytes of a JSON file. */
export function fuzz(data) {
  const text = Buffer.from(data).toString('utf8');
  const own = orRefused(() => use(parsePlan(parseJson(text, 'plan.json'), 'plan.json')));
  const imported = orRefused(() => {
    const published = readPublished(fileOf('published.json', data));
    return use(importPublished(published, { name: 'fuzzed', model: MODEL, lengths: [TOKENS], source: 'published.json' }).plan);
  });
  return own ?? imported;
}
