import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { type InfluenceProfile, loadProfile, saveProfile } from '../../src/compress/profile.ts';
import { MoaError } from '../../src/core/errors.ts';

const folder = mkdtempSync(join(tmpdir(), 'moabench-profile-'));
const path = join(folder, 'p.json');
afterAll(() => rmSync(folder, { recursive: true }));

const profile: InfluenceProfile = {
  format: 'moabench-profile',
  version: 1,
  weightsHash: 'w',
  calibrationHash: 'c',
  length: 128,
  layers: 1,
  kvHeads: 2,
  bins: 2,
  sink: 64,
  epsilon: 2 ** -23,
  activationDType: 'f32',
  samples: 1,
  totalSamples: 3,
  lossSum: 0.1,
  elementwise: Float64Array.of(0.1, 1 / 3, 1e-300, 7),
  elementwiseSink: new Float64Array(4),
  joint: Float64Array.of(1, 2, 3, Math.PI),
};

test('a profile reads back exactly', () => {
  saveProfile(path, profile);
  expect(loadProfile(path)).toEqual(profile);
});

test('arrays of another size than the shape says are refused by name', () => {
  saveProfile(path, { ...profile, joint: new Float64Array(3) });
  expect(() => loadProfile(path)).toThrow(/Expected 4 numbers for joint in .*p\.json but received 3/);
});

test('a damaged file is a typed error that names it, or the same profile; never anything else', () => {
  saveProfile(path, profile);
  const text = readFileSync(path, 'utf8');
  fc.assert(
    fc.property(fc.nat(text.length - 1), fc.string({ maxLength: 4 }), (at, noise) => {
      writeFileSync(path, text.slice(0, at) + noise + text.slice(at + noise.length));
      try {
        loadProfile(path);
      } catch (error) {
        expect(error).toBeInstanceOf(MoaError);
        expect((error as MoaError).code).toBe('INVALID_FILE');
        expect((error as MoaError).message).toContain(path);
      }
    }),
    { numRuns: 200 },
  );
});
