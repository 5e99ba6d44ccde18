import { afterEach, describe, expect, test, vi } from 'vitest';
import { describeWith } from './needs.ts';

const need = { what: 'Nonesuch', found: false, how: 'install it' };
afterEach(() => vi.unstubAllEnvs());

test('tests whose program is missing fail in CI, and are only left out elsewhere', () => {
  vi.stubEnv('CI', 'true');
  expect(() => describeWith(need)).toThrow('Nonesuch was not found (install it); CI needs it');
  expect(describeWith({ ...need, found: true })).toBe(describe);
  vi.stubEnv('CI', '');
  expect(describeWith(need)).not.toBe(describe);
});
