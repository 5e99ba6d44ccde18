import { Presets, SingleBar } from 'cli-progress';
import { printableLine } from '../core/printable.ts';
import type { OnProgress, Progress } from '../core/progress.ts';
import { duration } from './duration.ts';
import { tell } from './output.ts';

/** Shows how far long work is: a bar with an ETA on a terminal, elsewhere a line from time to time. Writes to stderr only. */
export interface ProgressDisplay {
  readonly onProgress: OnProgress;
  /** Ends the bar in flight, so that other output starts on its own line. */
  stop(): void;
}

/** Least seconds between two lines of a stage when stderr is not a terminal. */
const LOG_INTERVAL_S = 15;

export function progressDisplay(options: { readonly quiet: boolean }): ProgressDisplay {
  if (options.quiet) return { onProgress: () => {}, stop: () => {} };
  return process.stderr.isTTY ? barDisplay() : lineDisplay();
}

function barDisplay(): ProgressDisplay {
  let bar: SingleBar | undefined;
  let stage = '';
  let lastDone = 0;
  const stop = (): void => {
    bar?.stop();
    bar = undefined;
    stage = '';
  };
  return {
    stop,
    onProgress: (progress) => {
      const key = `${progress.stage}/${progress.total}`;
      const fresh = key !== stage || progress.done < lastDone;
      lastDone = progress.done;
      if (fresh) {
        stop();
        stage = key;
        bar = new SingleBar(
          {
            format: '{stage} {bar} {value}/{total} | ETA {eta_formatted} | {run}{detail}',
            stream: process.stderr,
            hideCursor: true,
            etaBuffer: 30,
          },
          Presets.shades_classic,
        );
        bar.start(progress.total, progress.done, payload(progress));
      }
      bar?.update(progress.done, payload(progress));
      if (progress.done >= progress.total) stop();
    },
  };
}

function payload(progress: Progress): object {
  const run = runText(progress);
  return { stage: progress.stage.padEnd(10), run: run === '' ? '' : `${run} | `, detail: printableLine(progress.detail ?? '') };
}

/** How long the whole run still takes; empty where that is not known. */
function runText({ runSecondsLeft }: Progress): string {
  return runSecondsLeft === undefined ? '' : `whole run about ${duration(runSecondsLeft)}`;
}

function lineDisplay(): ProgressDisplay {
  let stage = '';
  let started = 0;
  let startedAt = 0;
  let lastDone = 0;
  let last = 0;
  return {
    stop: () => {},
    onProgress: (progress) => {
      const now = performance.now() / 1000;
      const key = `${progress.stage}/${progress.total}`;
      const fresh = key !== stage || progress.done < lastDone;
      lastDone = progress.done;
      if (fresh) {
        stage = key;
        started = now;
        startedAt = progress.done;
      }
      if (!fresh && now - last < LOG_INTERVAL_S) return;
      last = now;
      const done = progress.done - startedAt;
      const eta = done > 0 ? `, ETA ${duration(((now - started) / done) * (progress.total - progress.done))}` : '';
      const run = runText(progress);
      tell(`${progress.stage}: ${progress.done}/${progress.total}${eta}${run === '' ? '' : `, ${run}`} ${progress.detail ?? ''}\n`);
    },
  };
}
