import { contentHash } from '../core/hash.ts';
import type { Parts } from './code-identity.ts';

/** Values up to this many characters are kept, so that a change can show them; longer values are hashed. */
const SHORT = 40;
const HASH = /^[0-9a-f]{16,64}$/;

/** The leaves of plain options by their path, such as `compress.validate.samples`; undefined and null values are left out. */
export function flatParts(options: object, prefix = ''): Parts {
  const entries = Object.entries(options).flatMap(([key, value]: [string, unknown]): (readonly [string, string])[] => {
    const name = `${prefix}${key}`;
    if (value === undefined || value === null) return [];
    if (typeof value === 'object' && !Array.isArray(value)) return Object.entries(flatParts(value, `${name}.`));
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    return [[name, text.length <= SHORT ? text : contentHash(value)]];
  });
  return Object.fromEntries(entries);
}

/**
 * For each part, the other parts whose change it implies; these changes are then not named. The hash of the weights covers config.json, and for weights
 * that were made instead of loaded it covers the end tokens too.
 */
const IMPLIED: Readonly<Record<string, readonly string[]>> = { weights: ['config.json', 'end tokens'] };

/** Each part that differs, in words: `tokenizer.json changed`, `density changed from 0.5 to 0.25`. */
export function changedParts(before: Parts, after: Parts): readonly string[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter((name) => before[name] !== after[name]);
  const told = names.filter((name) => IMPLIED[name]?.some((other) => names.includes(other)) !== true);
  return told.map((name) => change(name, before[name], after[name]));
}

function change(name: string, before: string | undefined, after: string | undefined): string {
  if (before === undefined) return `${name} is new`;
  if (after === undefined) return `${name} is gone`;
  return HASH.test(before) || HASH.test(after) ? `${name} changed` : `${name} changed from ${before} to ${after}`;
}
