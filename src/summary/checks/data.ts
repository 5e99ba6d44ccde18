import { countText } from '../phrases.ts';
import type { Check } from '../summary.ts';
import { type CheckInput, check } from './check.ts';

/** Checks that the data had as many samples as the suite asks for. */
export function enoughSamples({ summary }: CheckInput): Check {
  const { data } = summary;
  if (data.length === 0) return check('enough-samples', 'warning', 'untested', 'No record says how many samples there were.');
  const short = data.flatMap(({ task, length, asked, usable }) =>
    usable === null || usable >= asked ? [] : [`${task} at ${countText(length)} tokens has ${usable} of ${asked}`],
  );
  return short.length === 0
    ? check('enough-samples', 'warning', 'passed', 'There were as many samples as were asked for.')
    : check('enough-samples', 'warning', 'failed', `There were fewer samples than asked for: ${short.join(', ')}.`);
}

/** Checks that files with a published name have the published content. */
export function dataAsPublished({ summary }: CheckInput): Check {
  const files = summary.data.flatMap((data) => data.files);
  const known = files.filter(({ published }) => published !== null);
  if (known.length === 0) return check('data-as-published', 'note', 'untested', 'No file was read of which the published hash is known.');
  const other = [...new Set(known.filter(({ published }) => published === false).map(({ path }) => path))];
  return other.length === 0
    ? check('data-as-published', 'note', 'passed', 'Files of published names have the published content.')
    : check('data-as-published', 'note', 'failed', `Not the published files of these names: ${other.join(', ')}.`);
}
