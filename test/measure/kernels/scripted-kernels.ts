import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KernelPeer } from '../../../src/peers/kernel-peer.ts';
import { scripted } from '../../peers/scripted-worker.ts';

/**
 * A kernel peer that computes nothing: ours takes 1 ms, arm k takes k + 1 ms, and every sample says in its last digits in which place of its round it
 * was taken. `code` runs before each answer, and may answer itself and return.
 */
export function scriptedKernels(code = ''): readonly string[] {
  return scripted(`
    const answer = (reply) => say({ id: request.id, reply });
    const finding = (more = {}) => ({ name: '', error: 1e-3, note: '', arm: null, ...more });
    globalThis.ids ??= [];
    const run = () => {
      ${code}
      if (request.ask === 'open') return answer({ library: { name: 'H100', blas: 'cuBLASLt' }, clockReader: 'NVML' });
      if (request.ask === 'check') return answer({ checks: [finding()] });
      if (request.ask === 'prepare') {
        ids = request.arms.map(({ id }) => id);
        const arms = Object.fromEntries(request.arms.map(({ id, by }) => [id, by === 'flex' ? { unavailable: 'no flex' } : { mode: 'events' }]));
        return answer({ checks: request.check ? [finding({ name: request.spec.op })] : [], arms });
      }
      if (request.ask === 'time') {
        const samplesMs = Object.fromEntries(request.rounds[0].map((id) => [id, []]));
        for (const round of request.rounds) round.forEach((id, place) => samplesMs[id].push(1 + ids.indexOf(id) + place / 1e3));
        return answer({ samplesMs, hostUs: Object.fromEntries(request.rounds[0].map((id) => [id, 5])), clocks: [[1980, 500], [1900, 600]] });
      }
      answer({});
    };
    run();`);
}

export function launchKernels(command: readonly string[], signal = new AbortController().signal): Promise<KernelPeer> {
  const log = join(mkdtempSync(join(tmpdir(), 'kernels-')), 'worker.log');
  return KernelPeer.launch({ command, library: null, poolBytes: 1, log, signal });
}
