import { afterEach, expect, test, vi } from 'vitest';
import { progressDisplay } from '../../src/cli/progress-display.ts';

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

/** Lines on a stderr that is no terminal, with a clock that the test moves. */
function lines() {
  vi.useFakeTimers({ toFake: ['performance'] });
  const written: string[] = [];
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => written.push(String(text)) > 0);
  const wasTerminal = process.stderr.isTTY;
  process.stderr.isTTY = false;
  const display = progressDisplay({ quiet: false });
  process.stderr.isTTY = wasTerminal;
  return { display, written };
}

test('the ETA counts from where this stretch began, not from the stage before of the same name and size', () => {
  const { display, written } = lines();
  display.onProgress({ stage: 'retrieval', done: 0, total: 100 });
  vi.advanceTimersByTime(1_000_000);
  display.onProgress({ stage: 'retrieval', done: 100, total: 100 });
  display.onProgress({ stage: 'retrieval', done: 0, total: 100 });
  vi.advanceTimersByTime(20_000);
  display.onProgress({ stage: 'retrieval', done: 20, total: 100, detail: 'lines 2048' });
  expect(written.at(-1)).toBe('retrieval: 20/100, ETA 1 min 20 s lines 2048\n');
});

test('says how long the whole run still takes, where that is known', () => {
  const { display, written } = lines();
  display.onProgress({ stage: 'retrieval', done: 0, total: 100, detail: 'lines 2048', runSecondsLeft: 200.4 });
  expect(written).toEqual(['retrieval: 0/100, whole run about 3 min 20 s lines 2048\n']);
});

test('a line now and then, not one for every step', () => {
  const { display, written } = lines();
  for (let done = 0; done < 100; done++) {
    vi.advanceTimersByTime(1000);
    display.onProgress({ stage: 'profile', done, total: 100 });
  }
  expect(written.length).toBeGreaterThan(3);
  expect(written.length).toBeLessThan(10);
});

test('quiet says nothing', () => {
  const written = vi.spyOn(process.stderr, 'write');
  progressDisplay({ quiet: true }).onProgress({ stage: 'run', done: 0, total: 1 });
  expect(written).not.toHaveBeenCalled();
});
