import { expect, it } from 'vitest';
import { budgetGroups, budgetOf } from '../../src/summary/contrasts.ts';
import { kvShare, shareLength } from '../../src/summary/kv-share.ts';
import { summarize } from '../../src/summary/summarize.ts';
import type { MethodSummary } from '../../src/summary/summary.ts';
import { syntheticRecords, syntheticSuite } from '../report/synthetic-run.ts';

const suite = syntheticSuite({ samples: 1, methods: ['dense'] });
const records = syntheticRecords(suite).filter(({ kind }) => kind === 'run');
const [plain] = summarize({ records, suite }).methods;
if (plain === undefined) throw new Error('no method');

const method = (heterogeneity: string, ...bytes: readonly number[]): MethodSummary => ({
  ...plain,
  id: `${heterogeneity}-${bytes[0]}`,
  heterogeneity,
  kvBytes: bytes.map((resident, i) => ({
    length: 1024 * 2 ** i,
    planned: resident,
    resident,
    ratioToBaseline: resident / 1000,
    n: 1,
  })),
});

it('compares budgets at every length that both have', () => {
  const uniform = method('uniform', 100, 200);
  expect(budgetOf(method('elastic', 101, 196), uniform)).toEqual({ budget: 'equal', leastBytesRatio: 0.98 });
  expect(budgetOf(method('elastic', 101, 190), uniform)).toEqual({ budget: 'fewer', leastBytesRatio: 0.95 });
  expect(budgetOf(method('elastic', 103, 190), uniform)).toBeNull();
  expect(budgetOf(method('elastic', 50, 100), uniform)).toBeNull();
  expect(budgetOf(method('elastic'), uniform)).toBeNull();
});

it('groups methods under the most uniform one with as many bytes or more', () => {
  const ids = budgetGroups([
    method('elastic', 96),
    method('uniform', 100),
    method('heads', 101),
    method('uniform', 50),
    method('layers', 103),
  ]).map((group) => group.map(({ id }) => id));
  expect(ids).toEqual([['uniform-100', 'heads-101', 'elastic-96'], ['uniform-50'], ['layers-103']]);
});

it('states shares of memory at a length that all methods have', () => {
  const methods = [method('uniform', 100, 200, 400), method('elastic', 90, 180), { ...plain, kvBytes: [] }];
  expect(shareLength({ methods })).toBe(2048);
  expect(methods.map((own) => kvShare(own, 2048))).toEqual([0.2, 0.18, null]);
  expect(shareLength({ methods: [] })).toBeNull();
});
