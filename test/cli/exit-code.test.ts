import { expect, test } from 'vitest';
import { EXIT, errorText, exitCodeOf } from '../../src/cli/exit-code.ts';
import { MoaError } from '../../src/core/errors.ts';

function abortError(): unknown {
  try {
    AbortSignal.abort().throwIfAborted();
  } catch (error) {
    return error;
  }
}

test.each([
  ['by a signal itself', abortError()],
  ['by a stage', new MoaError('Stopped on request', { code: 'ABORTED' })],
])('an abort thrown %s is one sentence and 130', (_, error) => {
  expect(errorText(error)).toBe('error: Stopped on request');
  expect(exitCodeOf(error)).toBe(EXIT.aborted);
});

test('an error has its hint on the next line; only an unexpected one has a stack', () => {
  expect(errorText(new MoaError('Expected a but received b', { code: 'NOT_FOUND', hint: 'Try c.' }))).toBe(
    'error: Expected a but received b\n  hint: Try c.',
  );
  expect(errorText(new Error('unexpected'))).toMatch(/unexpected\n +at /);
});
