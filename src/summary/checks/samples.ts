import { groupBy } from '../../core/group-by.ts';
import { spansAt } from '../../plan/spans.ts';
import { numbered, percent } from '../phrases.ts';
import type { Check } from '../summary.ts';
import { type CheckInput, check } from './check.ts';

/**
 * Checks that all methods answered the same questions. A method that answered any sample of a part must have all samples under every condition of that part.
 */
export function sameSamples({ selection }: CheckInput): Check {
  const scored = [...selection.samples, ...selection.losses.map((loss) => ({ ...loss, part: 'perplexity' as const }))];
  const parts = [...groupBy(scored, (sample) => sample.part).values()];
  const conditions = parts.flatMap((samples) => {
    const methods = new Set(samples.map(({ method }) => method));
    return [...groupBy(samples, ({ part, task, length }) => `${part} ${task} ${length}`)].map(([name, here]) => {
      const idsOf = (own: readonly { readonly sampleId: string }[]): number => new Set(own.map(({ sampleId }) => sampleId)).size;
      const all = idsOf(here);
      return { name, lacking: [...methods].filter((method) => idsOf(here.filter((sample) => sample.method === method)) < all) };
    });
  });
  if (conditions.length === 0) return check('same-samples', 'warning', 'untested', 'No sample was scored.');
  const uneven = conditions.filter(({ lacking }) => lacking.length > 0);
  if (uneven.length === 0) {
    const all = conditions.length === 1 ? 'the one condition' : `all ${conditions.length} conditions`;
    return check('same-samples', 'warning', 'passed', `All methods answered the same samples under ${all}.`);
  }
  const names = uneven.map(({ name, lacking }) => `${name} (${lacking.join(', ')})`).join('; ');
  return check(
    'same-samples',
    'warning',
    'failed',
    `Samples that other methods answered are missing under ${names}. Means and comparisons are over the conditions that all methods completed.`,
  );
}

/** Checks that no prompt was cut to fit. */
export function untruncated({ selection }: CheckInput): Check {
  const cut = selection.samples.filter((sample) => sample.truncatedTokens > 0).length;
  if (selection.samples.length === 0) return check('truncation', 'warning', 'untested', 'No sample was scored.');
  return check(
    'truncation',
    'warning',
    cut === 0 ? 'passed' : 'failed',
    cut === 0
      ? 'No prompt was truncated.'
      : `${cut} of ${numbered(selection.samples.length, 'prompt')} ${cut === 1 ? 'was' : 'were'} truncated.`,
  );
}

/** Checks that evidence lies outside of windows. A sample whose evidence is in every head's window proves nothing about compression. */
export function evidenceOutOfSight({ selection, summary }: CheckInput): Check {
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

/** Checks that compression did not lengthen answers. Longer answers would cost the speed that compression brings. */
export function answersEnd({ selection, summary }: CheckInput): Check {
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
