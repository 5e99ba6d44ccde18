import { randomBytes } from 'node:crypto';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { writeFileAtomic } from '../core/files.ts';
import type { Environment } from '../records/environment.ts';
import type { RecordStore } from '../records/store.ts';
import { now } from './context.ts';

export interface StretchOptions {
  readonly store: RecordStore;
  /** The run folder. Its environment.json describes the environment of the newest stretch. */
  readonly folder: string;
  /** The environment when the process began, before the process put load on the machine itself. */
  readonly environment: Environment;
}

/** The measuring of one process in one environment. It is recorded with the first measurement, so a run that measures nothing leaves no stretch. */
export class Stretch {
  readonly #options: StretchOptions;
  readonly #id = randomBytes(6).toString('hex');
  #isOpen = false;

  constructor(options: StretchOptions) {
    this.#options = options;
  }

  /** The id that a measurement names. The first call records the stretch. */
  open(): string {
    if (!this.#isOpen) {
      const { store, folder, environment } = this.#options;
      store.append({ kind: 'stretch', time: now(), id: this.#id, environment });
      writeFileAtomic(join(folder, 'environment.json'), `${JSON.stringify(environment, null, 2)}\n`);
      this.#isOpen = true;
    }
    return this.#id;
  }

  /** Records the end, if the stretch was opened. `substitutions`: one sentence for each op that ran on another kernel than the intended one. */
  close(substitutions: readonly string[]): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    const end = { stretch: this.#id, loadAverage: loadavg(), substitutions: [...substitutions] };
    this.#options.store.append({ kind: 'stretchEnd', time: now(), ...end });
  }
}
