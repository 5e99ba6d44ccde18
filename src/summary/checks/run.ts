import type { Check } from '../summary.ts';
import type { CheckInput } from './check.ts';
import { denseCanDoIt, denseIsBest, finished, power } from './conclusions.ts';
import { dataAsPublished, enoughSamples } from './data.ts';
import { cleanCode, kernelsAsMeant, quietMachine } from './machine.ts';
import { equalBudgets, residentBytes } from './memory.ts';
import { answersEnd, evidenceOutOfSight, sameSamples, untruncated } from './samples.ts';
import { timingControl, timingDrift } from './timing-noise.ts';

/** The results of all checks, which look for anything that would make the conclusions wrong. Every check says what it saw, also when it passed. */
export function checkRun(input: CheckInput): Check[] {
  return [
    finished(input),
    residentBytes(input),
    equalBudgets(input),
    sameSamples(input),
    enoughSamples(input),
    dataAsPublished(input),
    untruncated(input),
    denseIsBest(input),
    denseCanDoIt(input),
    evidenceOutOfSight(input),
    answersEnd(input),
    power(input),
    timingControl(input),
    timingDrift(input),
    quietMachine(input),
    kernelsAsMeant(input),
    cleanCode(input),
  ];
}
