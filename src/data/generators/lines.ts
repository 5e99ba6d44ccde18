import { wordKey } from './atoms.ts';
import { assemble, type BuildContext, type Draft } from './draft.ts';
import { fill } from './fill.ts';

/** LongEval's line retrieval (LongChat, `generate_lines_testcases`): text as it was released. */
const HEAD =
  "Below is a record of lines I want you to remember. Each line begins with 'line <line index>' and contains a '<REGISTER_CONTENT>' at the end of the " +
  'line as a numerical value. For each line index, memorize its corresponding <REGISTER_CONTENT>. At the end of the record, I will ask you to retrieve ' +
  'the corresponding <REGISTER_CONTENT> of a certain line index. Now the record start:\n\n';

/** A record of lines and a question for the number of one of them; its depth is line index / number of lines, as in LongEval. */
export function buildLines(context: BuildContext): Draft {
  const { rng, estimate, budget, tolerance, depthDecile } = context;
  const seen = new Set<string>();
  const draw = (): { text: string; key: string; value: string } => {
    let key = wordKey(context);
    while (seen.has(key)) key = wordKey(context);
    seen.add(key);
    const value = String(rng.int(1, 50_000));
    return { text: `line ${key}: REGISTER_CONTENT is <${value}>\n`, key, value };
  };
  const queried = draw();
  const tail = `\nNow the record is over. Tell me what is the <REGISTER_CONTENT> in line ${queried.key}? I need the number.\n`;
  const room = budget - estimate.count(HEAD + queried.text + tail);
  const others = fill({ budget: room, tolerance, next: draw, any: draw, cost: (line) => estimate.count(line.text) });
  const count = others.length + 1;
  const first = Math.ceil((depthDecile * count) / 10);
  const index = Math.min(count - 1, rng.int(first, Math.max(first, Math.ceil(((depthDecile + 1) * count) / 10) - 1)));
  const pieces = others.map((line) => line.text);
  pieces.splice(index, 0, queried.text);
  const completion = `The <REGISTER_CONTENT> in line ${queried.key} is <${queried.value}>.`;
  return {
    ...assemble({ head: HEAD, pieces, separator: '', tail, evidence: index }),
    answers: [queried.value],
    completion,
    depth: index / count,
  };
}
