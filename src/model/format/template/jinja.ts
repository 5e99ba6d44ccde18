import * as library from '@huggingface/jinja';

/** The parts of @huggingface/jinja that are used here, with types: its own declarations do not resolve in an ES module. */

/** A value of a template while it runs. */
export interface TemplateValue {
  readonly type: string;
  readonly value: unknown;
  __bool__(): { readonly value: boolean };
}

/** A node of a template's tree. */
export interface TemplateNode {
  readonly type: string;
}

export interface Scope {
  set(name: string, value: unknown): unknown;
}

interface LibraryInterpreter {
  run(program: TemplateNode): TemplateValue;
  evaluate(node: TemplateNode | undefined, scope: Scope): TemplateValue;
}

export const newScope = (): Scope => new library.Environment() as Scope;
export const Interpreter = library.Interpreter as unknown as new (scope: Scope) => LibraryInterpreter;
export const tokenize = library.tokenize as (
  source: string,
  options: { readonly lstrip_blocks: boolean; readonly trim_blocks: boolean },
) => { readonly type: string; readonly value: string }[];
export const parse = library.parse as (tokens: ReturnType<typeof tokenize>) => TemplateNode;
