import { Interpreter, newScope, type Scope, type TemplateNode, type TemplateValue } from './jinja.ts';
import { pythonText } from './python-text.ts';
import { type Fields, leavesLoop, type ParsedTemplate, wrapping } from './tree.ts';

/** The limit of Jinja's sandbox. */
const MAX_RANGE = 100_000;
/** Maximum number of characters and list items that a template may make; a multiple of the conversation's size is added. */
const MAX_MADE = 2 ** 23;

/**
 * The text that a template gives for these variables. @throws Error that the template raises itself, or that says what it asked for and
 * cannot have.
 */
export function renderTemplate(
  { program }: ParsedTemplate,
  variables: Readonly<Record<string, unknown>>,
  strftimeNow: (format: string) => string,
): string {
  const env = newScope();
  for (const [name, value] of [['true', true] as const, ['false', false] as const, ['none', null] as const]) {
    env.set(name, value);
    env.set(`${name[0]?.toUpperCase()}${name.slice(1)}`, value);
  }
  env.set('raise_exception', (message: unknown) => {
    throw new Error(String(message));
  });
  env.set('range', range);
  env.set('strftime_now', strftimeNow);
  for (const [name, value] of Object.entries(variables)) env.set(name, value);
  const given = Object.values(variables).reduce((sum: number, value) => sum + JSON.stringify(value ?? null).length, 0);
  return String(new PythonInterpreter(env, MAX_MADE + 4 * given).run(program).value);
}

/**
 * The library's interpreter, corrected where it differs from Python's Jinja: in what it prints, in loops that are left early, and in
 * mistakes that it lets pass.
 */
class PythonInterpreter extends Interpreter {
  readonly #mostMade: number;
  #made = 0;
  /**
   * Scopes of loops that were left by `break`. The library ends such a loop only at its next turn, which must break before anything else.
   */
  readonly #broken = new WeakSet<Scope>();

  constructor(env: Scope, mostMade: number) {
    super(env);
    this.#mostMade = mostMade;
  }

  override evaluate(node: TemplateNode | undefined, env: Scope): TemplateValue {
    if (node === undefined) return super.evaluate(node, env);
    const fields = node as Fields;
    switch (node.type) {
      case 'Output':
        return this.#text(pythonText(this.evaluate(fields.inner, env)), env);
      case 'Result':
        return fields.result as TemplateValue;
      case 'LoopBody':
        return this.#loopBody(node, fields.body ?? [], env);
      case 'For':
        return super.evaluate(this.#overCharacters(fields, env), env);
      case 'MemberExpression':
        return this.#member(fields, env);
      case 'FilterExpression':
        return this.#counted(this.#filter(fields, env));
      case 'BinaryExpression':
        return this.#counted(this.#binary(fields, env));
      case 'CallExpression':
        return this.#counted(this.#stripped(fields, env) ?? super.evaluate(node, env));
      default:
        return super.evaluate(node, env);
    }
  }

  #text(text: string, env: Scope): TemplateValue {
    return super.evaluate({ type: 'StringLiteral', value: text } as unknown as TemplateNode, env);
  }

  /** The node with some parts replaced by results that were evaluated already. */
  #withResults(node: TemplateNode, results: Readonly<Record<string, TemplateValue>>): TemplateNode {
    const nodes = Object.entries(results).map(([name, result]) => [name, wrapping(node, 'Result', { result })]);
    return wrapping(node, node.type, { ...node, ...Object.fromEntries(nodes) });
  }

  /** A loop over a text runs over its characters, which the library refuses. */
  #overCharacters(node: Fields, env: Scope): TemplateNode {
    if (node.iterable === undefined || node.iterable.type === 'SelectExpression') return node;
    const iterable = this.evaluate(node.iterable, env);
    const isText = iterable.type === 'StringValue';
    const items = isText ? Array.from(iterable.value as string, (char) => this.#text(char, env)) : [];
    return this.#withResults(node, { iterable: isText ? this.#list(items, env) : iterable });
  }

  #list(items: readonly TemplateValue[], env: Scope): TemplateValue {
    const list = super.evaluate({ type: 'ArrayLiteral', value: [] } as unknown as TemplateNode, env);
    for (const item of items) (list.value as TemplateValue[]).push(item);
    return this.#counted(list);
  }

  #loopBody(node: TemplateNode, body: readonly TemplateNode[], scope: Scope): TemplateValue {
    if (this.#broken.has(scope)) return super.evaluate(wrapping(node, 'Break', {}), scope);
    const { text, end } = this.#until(body, scope);
    if (end === 'Break') this.#broken.add(scope);
    return this.#text(text, scope);
  }

  /** What a block prints up to its end, or up to where the loop is left. */
  #until(block: readonly TemplateNode[], env: Scope): { readonly text: string; readonly end: 'Break' | 'Continue' | null } {
    let text = '';
    for (const node of block) {
      if (node.type === 'Break' || node.type === 'Continue') return { text, end: node.type };
      if (node.type === 'If' && leavesLoop(node)) {
        const { test, body = [], alternate = [] } = node as Fields;
        const inner = this.#until(this.evaluate(test, env).__bool__().value === true ? body : alternate, env);
        text += inner.text;
        if (inner.end !== null) return { text, end: inner.end };
        continue;
      }
      const value = this.evaluate(node, env);
      if (value.type === 'StringValue') text += value.value as string;
    }
    return { text, end: null };
  }

  #member(node: Fields, env: Scope): TemplateValue {
    const object = this.evaluate(node.object, env);
    if (object.type === 'UndefinedValue') throw new Error('a member of an undefined value was asked for');
    return super.evaluate(this.#withResults(node, { object }), env);
  }

  /** The result of `text.strip(characters)`, `lstrip` or `rstrip`, whose argument the library ignores; null for any other call. */
  #stripped(node: Fields, env: Scope): TemplateValue | null {
    const { callee, args = [] } = node;
    const method = callee?.type === 'MemberExpression' ? (callee as Fields).property?.value : undefined;
    if (args.length !== 1 || !['strip', 'lstrip', 'rstrip'].includes(String(method))) return null;
    const [text, characters] = [(callee as Fields).object, args[0]].map((part) => this.evaluate(part, env).value);
    if (typeof text !== 'string' || typeof characters !== 'string') throw new Error(`${method} of something else than texts`);
    const units = Array.from(text);
    const isKept = (unit: string): boolean => !characters.includes(unit);
    const start = method === 'rstrip' ? 0 : units.findIndex(isKept);
    const end = method === 'lstrip' ? units.length : units.findLastIndex(isKept) + 1;
    return this.#text(start < 0 ? '' : units.slice(start, end).join(''), env);
  }

  #filter(node: Fields, env: Scope): TemplateValue {
    const operand = this.evaluate(node.operand, env);
    const name = node.filter?.value ?? node.filter?.callee?.value;
    if (name === 'string') return this.#text(pythonText(operand), env);
    if (name === 'join' && (operand.type === 'ArrayValue' || operand.type === 'TupleValue')) {
      const texts = (operand.value as readonly TemplateValue[]).map((item) => this.#text(pythonText(item), env));
      return super.evaluate(this.#withResults(node, { operand: this.#list(texts, env) }), env);
    }
    return super.evaluate(this.#withResults(node, { operand }), env);
  }

  #binary(node: Fields, env: Scope): TemplateValue {
    const operator = node.operator?.value ?? '';
    if (!['~', '+', '%', '/', '//'].includes(operator)) return super.evaluate(node, env);
    const left = this.evaluate(node.left, env);
    const right = this.evaluate(node.right, env);
    if (operator === '~') return this.#text(pythonText(left) + pythonText(right), env);
    const isText = [left, right].map((value) => value.type === 'StringValue');
    if (operator === '+' && isText[0] !== isText[1]) throw new Error(`+ between ${left.type} and ${right.type}`);
    if (operator !== '+' && Number(right.value) === 0) throw new Error('division by zero');
    const plain = super.evaluate(this.#withResults(node, { left, right }), env);
    // Python's remainder has the sign of the divisor.
    if (operator === '%' && Number(plain.value) * Number(right.value) < 0) {
      const sum = { ...node, operator: { ...node.operator, value: '+' } } as unknown as TemplateNode;
      return super.evaluate(this.#withResults(wrapping(node, node.type, sum), { left: plain, right }), env);
    }
    return plain;
  }

  #counted(value: TemplateValue): TemplateValue {
    if (typeof value.value === 'string' || Array.isArray(value.value)) this.#made += value.value.length;
    if (this.#made > this.#mostMade) throw new Error(`more than ${this.#mostMade} characters and list items were made`);
    return value;
  }
}

function range(first: number, stop?: number, step = 1): number[] {
  const [from, to] = stop === undefined ? [0, first] : [first, stop];
  const count = Math.max(0, Math.ceil((to - from) / step));
  if (!(count <= MAX_RANGE)) throw new Error(`a range of more than ${MAX_RANGE} numbers was asked for`);
  return Array.from({ length: count }, (_, i) => from + i * step);
}
