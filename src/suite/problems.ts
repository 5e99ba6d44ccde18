import { z } from 'zod';
import { describe, MoaError } from '../core/errors.ts';
import { didYouMean } from './spelling.ts';
import type { YamlSource } from './yaml-source.ts';

type Path = readonly PropertyKey[];
type Issue = z.core.$ZodIssue;
interface JsonSchema {
  readonly properties?: { readonly [key: string]: JsonSchema };
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly allOf?: readonly JsonSchema[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
}

/** One thing that is wrong with a file. */
export interface Problem {
  /** `file:line:column path: Expected ... but received ...` */
  readonly message: string;
  readonly hint: string | undefined;
}

const jsonSchemas = new WeakMap<z.ZodType, JsonSchema>();

/** The JSON Schema of a zod schema. It is made when first needed and kept, because a schema does not change. */
function jsonSchemaOf(schema: z.ZodType): JsonSchema {
  const known = jsonSchemas.get(schema) ?? (z.toJSONSchema(schema, { io: 'input' }) as JsonSchema);
  jsonSchemas.set(schema, known);
  return known;
}

/** Maximum number of problems that a message lists. Finding the place of each takes time, and nobody reads more. */
const MAX_PROBLEMS = 20;

/**
 * What a schema finds wrong with a YAML file, in order of discovery. Of many, only the first 21: one more than are listed, so that the
 * message can say that there are more.
 */
export function problemsOf(source: YamlSource, schema: z.ZodType, error: z.ZodError): readonly Problem[] {
  const first = error.issues.slice(0, MAX_PROBLEMS + 1);
  return first.flatMap((issue) => problemOf(source, () => jsonSchemaOf(schema), issue));
}

/** The problems as one INVALID_FILE error: the message lists each on its line. */
export function problemError(source: YamlSource, problems: readonly Problem[]): MoaError {
  const lines = problems
    .slice(0, MAX_PROBLEMS)
    .map((problem) => problem.message + (problem.hint === undefined || problems.length === 1 ? '' : ` (${problem.hint})`));
  const many = problems.length > MAX_PROBLEMS;
  const head =
    problems.length === 1
      ? []
      : [`${source.file} has ${many ? `more than ${MAX_PROBLEMS}` : problems.length} problems${many ? ', first' : ''}:`];
  const hint = problems.length === 1 ? problems[0]?.hint : undefined;
  return new MoaError([...head, ...lines].join('\n'), { code: 'INVALID_FILE', ...(hint === undefined ? {} : { hint }) });
}

/** `methods[1].density`; the whole file is `(file)`. */
export function pathText(path: Path): string {
  const text = path.map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`)).join('');
  return text === '' ? '(file)' : text.replace(/^\./, '');
}

function problemOf(source: YamlSource, json: () => JsonSchema, issue: Issue): Problem[] {
  if (issue.code === 'unrecognized_keys') {
    const known = Object.keys(propertiesAt(json(), source.value, issue.path));
    return issue.keys.slice(0, MAX_PROBLEMS + 1).map((key) => {
      const meant = didYouMean(key, known);
      const hint = meant === undefined ? `Known keys here: ${known.join(', ')}.` : `Did you mean ${describe(meant)}?`;
      return { message: `${source.locateKey(issue.path, key)} ${pathText([...issue.path, key])}: Unknown key ${describe(key)}`, hint };
    });
  }
  const received = valueAt(source.value, issue.path);
  const sentence = sentenceOf(issue, received);
  const hint = hintOf(issue, received) ?? nameHint(issue, received, json());
  return [{ message: `${source.locate(issue.path)} ${pathText(issue.path)}: ${sentence}`, hint }];
}

function sentenceOf(issue: Issue, received: unknown): string {
  const expected = expectation(issue);
  if (expected.includes('but received') || expected.includes('because')) return expected;
  if (received === undefined && issue.path.length > 0) return `${expected} but it is missing`;
  return `${expected} but received ${describe(received ?? null)}`;
}

/** What a value should have been, from the schema's own words where it has some. */
function expectation(issue: Issue): string {
  if (issue.message.startsWith('Expected ')) return issue.message;
  const one = (values: readonly unknown[]): string =>
    `Expected ${values.length === 1 ? '' : 'one of '}${values.map((v) => describe(v)).join(', ')}`;
  switch (issue.code) {
    case 'invalid_type':
      return `Expected ${NAMES[issue.expected] ?? issue.expected}`;
    case 'invalid_value':
      return one(issue.values);
    case 'invalid_union':
      return 'options' in issue && Array.isArray(issue.options) ? one(issue.options) : 'Expected one of the allowed forms';
    case 'too_big':
      return `Expected ${sizeOf(issue.origin)} ${issue.inclusive ? 'at most' : 'below'} ${issue.maximum}`;
    case 'too_small':
      return `Expected ${sizeOf(issue.origin)} ${issue.inclusive ? 'at least' : 'above'} ${issue.minimum}`;
    case 'not_multiple_of':
      return `Expected a multiple of ${issue.divisor}`;
    default:
      return `Expected another value (${issue.message})`;
  }
}

const NAMES: Readonly<{ [type: string]: string }> = {
  int: 'an integer',
  number: 'a number',
  string: 'text',
  boolean: 'true or false',
  array: 'a list',
  object: 'a map of keys',
};

function sizeOf(origin: string): string {
  if (origin === 'array') return 'a list with a length of';
  if (origin === 'string') return 'text with a length of';
  return 'a number of';
}

function hintOf(issue: Issue, received: unknown): string | undefined {
  if (typeof received !== 'string') return undefined;
  const values = issue.code === 'invalid_value' ? issue.values : 'options' in issue && Array.isArray(issue.options) ? issue.options : [];
  const meant = didYouMean(
    received,
    values.filter((value): value is string => typeof value === 'string'),
  );
  return meant === undefined ? undefined : `Did you mean ${describe(meant)}?`;
}

/** A hint for text where a map is expected whose first key takes one of a few names: `backend: cuda` for `backend: { name: cuda }`. */
function nameHint(issue: Issue, received: unknown, json: JsonSchema): string | undefined {
  if (typeof received !== 'string' || issue.code !== 'invalid_type' || issue.expected !== 'object') return undefined;
  const properties = propertiesAt(json, undefined, issue.path);
  const [key, names] =
    Object.entries(properties).flatMap(([name, { enum: choices }]) => (choices === undefined ? [] : [[name, choices] as const]))[0] ?? [];
  if (names === undefined || !Object.keys(properties)[0]?.includes(String(key))) return undefined;
  const place = issue.path.map(String).join('.');
  return `Write ${names.map((name) => `${place}: { ${key}: ${String(name)} }`).join(' or ')}.`;
}

function valueAt(value: unknown, path: Path): unknown {
  let at = value;
  for (const key of path) {
    if (at === null || typeof at !== 'object' || !Object.hasOwn(at, key)) return undefined;
    at = (at as { readonly [key: PropertyKey]: unknown })[key];
  }
  return at;
}

/** The keys that the schema knows at a path. Of several alternatives, it takes the one whose constants are in the data (`method: moa`). */
function propertiesAt(schema: JsonSchema, value: unknown, path: Path): { readonly [key: string]: JsonSchema } {
  let at = chosen(schema, value);
  let data = value;
  for (const key of path) {
    data = valueAt(data, [key]);
    const next = typeof key === 'number' ? at.items : at.properties?.[String(key)];
    if (next === undefined) return {};
    at = chosen(next, data);
  }
  return at.properties ?? {};
}

function chosen(schema: JsonSchema, value: unknown): JsonSchema {
  const alternatives = schema.oneOf ?? schema.anyOf ?? schema.allOf ?? [];
  const match = alternatives.find((alternative) =>
    Object.entries(alternative.properties ?? {}).every(
      ([key, property]) => property.const === undefined || property.const === valueAt(value, [key]),
    ),
  );
  return match === undefined ? schema : chosen(match, value);
}
