import { holm } from '../../core/statistics/holm.ts';
import { LEAST_ROUNDS, timingRatio } from '../../core/statistics/timing.ts';
import { MEASURES, type Measure, type SpeedContrast } from './estimates.ts';
import { hardest } from './speed.ts';
import { commonTimings, conditionOf, type TimedArm } from './timed-arms.ts';

/**
 * Methods have equal KV memory when their resident bytes differ by no more than this share. They differ a little because plans are in whole blocks, and because
 * the optimizer spends at least 98% of a budget.
 */
const EQUAL_BYTES = 0.02;

/**
 * Comparisons of methods in speed. Every method is compared with the baseline, and methods of equal KV memory with each other. For each measure this is done
 * under one condition: the hardest one under which two methods were timed. Growing caches are left out, because they are baselines of another kind. The
 * comparisons of a measure are one family (Holm-adjusted).
 */
export function summarizeSpeedContrasts(arms: readonly TimedArm[], baseline: string): SpeedContrast[] {
  return MEASURES.flatMap((measure) => family(arms, measure, baseline));
}

function family(arms: readonly TimedArm[], measure: Measure, baseline: string): SpeedContrast[] {
  const plain = arms.filter((arm) => arm.measure === measure && !arm.control && arm.cache !== 'dynamic');
  const at = hardest(plain.filter((arm) => plain.some((other) => other !== arm && conditionOf(other) === conditionOf(arm))));
  if (at === undefined) return [];
  const contenders = plain.filter((arm) => conditionOf(arm) === conditionOf(at));
  const compared = pairsOf(contenders, baseline).flatMap(([own, other]) => {
    const [ownMs, otherMs] = commonTimings(own, other);
    if (ownMs.length === 0) return [];
    const { p, ...ratio } = timingRatio(otherMs, ownMs);
    const { length, batch } = at;
    return [{ measure, length, batch, method: own.method, other: other.method, ratio, p: ratio.rounds < LEAST_ROUNDS ? null : p }];
  });
  const tested = compared.flatMap(({ p }) => (p === null ? [] : [p]));
  const adjusted = holm(tested);
  return compared.map((contrast) => ({
    ...contrast,
    pHolm: contrast.p === null ? null : (adjusted[tested.indexOf(contrast.p)] as number),
    family: tested.length,
  }));
}

function pairsOf(contenders: readonly TimedArm[], baseline: string): (readonly [TimedArm, TimedArm])[] {
  const reference = contenders.find((arm) => arm.method === baseline);
  const others = contenders.filter((arm) => arm !== reference);
  const toBaseline = reference === undefined ? [] : others.map((arm) => [arm, reference] as const);
  const equal = others.flatMap((other, i) =>
    others.slice(i + 1).flatMap((arm) => (isEqualMemory(arm, other) ? [[arm, other] as const] : [])),
  );
  return [...toBaseline, ...equal];
}

function isEqualMemory(a: TimedArm, b: TimedArm): boolean {
  const bytes = (arm: TimedArm): number => arm.measurements[0]?.kvBytes.resident ?? 0;
  return Math.abs(bytes(a) / bytes(b) - 1) <= EQUAL_BYTES;
}
