import { parse, type TemplateNode, type TemplateValue, tokenize } from './jinja.ts';
import { portableTemplate } from './source.ts';

/** A node of the library's tree, with the fields that are read here. A node has only the fields of its type. */
export type Fields = TemplateNode & {
  body?: TemplateNode[];
  alternate?: TemplateNode[];
  defaultBlock?: TemplateNode[];
  readonly test?: TemplateNode;
  readonly object?: TemplateNode;
  readonly property?: { readonly value?: unknown };
  readonly callee?: TemplateNode;
  readonly args?: readonly TemplateNode[];
  readonly iterable?: TemplateNode;
  readonly operand?: TemplateNode;
  readonly left?: TemplateNode;
  readonly right?: TemplateNode;
  readonly operator?: { readonly value: string };
  readonly filter?: TemplateNode & { readonly value?: unknown; readonly callee?: { readonly value?: unknown } };
  readonly inner?: TemplateNode;
  readonly result?: TemplateValue;
};

/**
 * Types of nodes that stand in a block without printing anything themselves. Everything else in a block is an expression that is printed.
 */
const STATEMENTS: ReadonlySet<string> = new Set([
  'Set',
  'If',
  'For',
  'Macro',
  'CallStatement',
  'FilterStatement',
  'Break',
  'Continue',
  'Comment',
]);
/** A template that is ready to run, and the names that it mentions. */
export interface ParsedTemplate {
  readonly program: TemplateNode;
  readonly names: ReadonlySet<string>;
}

/** A template's tree, ready to run. @throws Error where the text is no template that can be run. */
export function parseTemplate(source: string): ParsedTemplate {
  const tokens = tokenize(portableTemplate(source), { lstrip_blocks: true, trim_blocks: true });
  const names = new Set(tokens.flatMap((token) => (token.type === 'Identifier' ? [token.value] : [])));
  const program = parse(tokens);
  prepareBlocks(program);
  return { program, names };
}

/** Marks what a block prints, and the bodies of loops that are left early, for our interpreter (interpreter.ts). */
function prepareBlocks(node: TemplateNode): void {
  const fields = node as Fields;
  for (const name of ['body', 'alternate', 'defaultBlock'] as const) {
    const block = fields[name];
    if (!Array.isArray(block)) continue;
    for (const child of block) prepareBlocks(child);
    fields[name] = block.map((child) => (STATEMENTS.has(child.type) ? child : wrapping(child, 'Output', { inner: child })));
  }
  if (node.type === 'For' && fields.body?.some(leavesLoop)) fields.body = [wrapping(node, 'LoopBody', { body: fields.body })];
}

/** A node of our own that the library takes for one of its own, because it has the prototype of `like`. */
export function wrapping(like: TemplateNode, type: string, fields: object): TemplateNode {
  return Object.assign(Object.create(Object.getPrototypeOf(like)) as TemplateNode, fields, { type });
}

export function leavesLoop(node: TemplateNode): boolean {
  if (node.type === 'Break' || node.type === 'Continue') return true;
  const { body = [], alternate = [] } = node as Fields;
  return node.type === 'If' && [...body, ...alternate].some(leavesLoop);
}
