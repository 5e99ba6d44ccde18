import { writeSync } from 'node:fs';
import { describe } from 'vitest';

export interface Need {
  /** What the tests need that npm does not bring. */
  readonly what: string;
  readonly found: boolean;
  /** How to get it. */
  readonly how: string;
}

/**
 * `describe` for tests that need a program which a machine may lack. Without it they are not run, and a line says so; where CI is set they fail instead, so
 * that what is released has passed them.
 */
export function describeWith({ what, found, how }: Need): typeof describe.skip {
  if (found) return describe;
  const note = `${what} was not found (${how})`;
  if ((process.env.CI ?? '') !== '') throw new Error(`${note}; CI needs it`);
  return ((name: string, tests: () => void) => {
    writeSync(2, `NOT RUN: ${name}: ${note}\n`);
    return describe.skip(`${name} (not run: ${note})`, tests);
  }) as typeof describe.skip;
}
