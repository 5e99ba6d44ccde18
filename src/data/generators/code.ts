import { capitalized, distinct, syllables } from './atoms.ts';
import { assemble, type BuildContext, type Draft } from './draft.ts';
import { fill } from './fill.ts';

const HEAD = 'Please complete the code given below.\n';
const KINDS = ['Store', 'Client', 'Cache', 'Reader', 'Index', 'Queue'];
const VERBS = ['load', 'save', 'find', 'open', 'count', 'merge', 'reset', 'parse'];

interface Module {
  readonly text: string;
  readonly name: string;
  readonly className: string;
  readonly methods: readonly { readonly name: string; readonly argument: string }[];
}

/**
 * Classes with short methods, then an object of one of them and a comment that names one of its methods. The model has to complete the
 * call.
 */
export function buildCode(context: BuildContext): Draft {
  const { rng, estimate, budget, tolerance } = context;
  const seen = new Set<string>();
  const draw = (): Module => {
    let name = syllables(rng, 2);
    while (seen.has(name)) name = syllables(rng, 2);
    seen.add(name);
    return drawModule(context, name);
  };
  const asked = draw();
  const method = rng.pick(asked.methods);
  const tail = `${asked.name} = ${asked.className}()\n# ${method.name}\nvalue =`;
  const room = budget - estimate.count(HEAD + asked.text + tail);
  // The cost includes the next module's first letter, because tokenizers split the blank line depending on what follows.
  const cost = ({ text }: Module): number => estimate.count(`${text}c`) - 1;
  const modules = fill({ budget: room, tolerance, next: draw, any: draw, cost });
  const index = rng.int(0, modules.length);
  modules.splice(index, 0, asked);
  const parts = { head: HEAD, pieces: modules.map(({ text }) => text), separator: '', tail, evidence: index };
  const completion = ` ${asked.name}.${method.name}(${method.argument})`;
  return { ...assemble(parts), answers: [completion], completion };
}

function drawModule({ rng, prose }: BuildContext, name: string): Module {
  const className = capitalized(name) + rng.pick(KINDS);
  const names = distinct(rng.int(1, 3), () => `${rng.pick(VERBS)}_${rng.pick(prose.words)}`);
  const methods = names.map((method) => ({ name: method, argument: rng.pick(prose.words) }));
  const bodies = methods.map(
    ({ name: method, argument }) => `    def ${method}(self, ${argument}):\n        return self.${rng.pick(prose.words)}[${argument}]\n`,
  );
  return { text: `class ${className}:\n${bodies.join('')}\n`, name, className, methods };
}
