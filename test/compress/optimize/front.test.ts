import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { loadFront, nonDominated, type ParetoFront, saveFront } from '../../../src/compress/optimize/front.ts';

const folder = mkdtempSync(join(tmpdir(), 'front-'));
afterAll(() => rmSync(folder, { recursive: true }));

const front: ParetoFront = {
  format: 'moabench-front',
  version: 1,
  layers: 1,
  kvHeads: 2,
  heterogeneity: 'elastic',
  rules: [{ alpha: 0, beta: 0.5 }],
  rulesPerLayer: 2,
  budget: 0.5,
  densityBounds: { 1024: { lower: 0.49, upper: 0.5 } },
  solver: 'test',
  solves: { total: 1, infeasible: 0, aboveGap: 0 },
  seconds: 0.1,
  points: [{ alpha: [[0, 0]], beta: [[0.5, 0.5]], objectives: { 1024: -0.25 }, densities: { 1024: 0.5 }, primary: 1024, gap: 0 }],
};

describe('nonDominated', () => {
  it('keeps what nothing beats, and one of equals', () => {
    const points = [
      [1, 3],
      [2, 2],
      [3, 1],
      [2, 3],
      [3, 3],
      [2, 2],
      [1, 4],
    ];
    expect(nonDominated(points, (point) => point)).toEqual([
      [1, 3],
      [2, 2],
      [3, 1],
    ]);
  });
});

describe('a front in a file', () => {
  it('comes back as it was saved', () => {
    const path = join(folder, 'front.json');
    saveFront(path, front);
    expect(loadFront(path)).toEqual(front);
  });

  it('names file, field and value when it is malformed', () => {
    const path = join(folder, 'bad.json');
    writeFileSync(path, JSON.stringify({ ...front, points: [{ ...front.points[0], gap: -1 }] }));
    expect(() => loadFront(path)).toThrow(/bad\.json but received -1 for points\.0\.gap/);
    expect(() => saveFront(path, { ...front, points: [] })).toThrow(/points/);
    expect(() => loadFront(join(folder, 'none.json'))).toThrow(/none\.json/);
  });
});
