import type { Backend, GemmParams, Ops } from '../../native/backend.ts';

export interface OpTime {
  /** Name of the op; the name of a matrix product has its shape MxNxK. */
  readonly op: string;
  readonly calls: number;
  readonly ms: number;
}

/** Ops that the stream spends time on: all but the bookkeeping of lengths. */
const TIMED: Readonly<Record<Exclude<keyof Ops, 'cacheAdvance'>, true>> = {
  gemm: true,
  embedding: true,
  rmsNorm: true,
  rmsNormBackward: true,
  rope: true,
  siluMul: true,
  siluMulBackward: true,
  add: true,
  copy: true,
  fill: true,
  fillUniform: true,
  gatherRows: true,
  scatterRows: true,
  attentionPrefill: true,
  cacheAppend: true,
  decodeAppend: true,
  attentionDecode: true,
  argmax: true,
  logSoftmax: true,
  crossEntropy: true,
  attentionBackward: true,
  influence: true,
};

/** Times the ops of a backend one by one with the backend's own timer. The model must be loaded on `backend`, which passes every call on. */
export class OpRecorder {
  readonly backend: Backend;
  #pending: Promise<{ readonly op: string; readonly ms: number }>[] | null = null;

  constructor(real: Backend) {
    this.backend = new Proxy(real, { get: (target, name) => this.#member(target, name) });
  }

  /** Device time by op of what `run` computes, longest first. */
  async times(run: () => Promise<unknown>): Promise<readonly OpTime[]> {
    this.#pending = [];
    try {
      await run();
      const byOp = new Map<string, OpTime>();
      for (const { op, ms } of await Promise.all(this.#pending)) {
        const before = byOp.get(op) ?? { op, calls: 0, ms: 0 };
        byOp.set(op, { op, calls: before.calls + 1, ms: before.ms + ms });
      }
      return [...byOp.values()].sort((a, b) => b.ms - a.ms);
    } finally {
      this.#pending = null;
    }
  }

  #member(target: Backend, name: string | symbol): unknown {
    const member: unknown = Reflect.get(target, name, target);
    if (typeof member !== 'function') return member;
    const call = (...args: unknown[]): unknown => Reflect.apply(member, target, args);
    if (!(name in TIMED)) return call;
    return (params: object): void => {
      if (this.#pending === null) call(params);
      else this.#pending.push(target.time(() => call(params)).then((ms) => ({ op: labelOf(String(name), params), ms })));
    };
  }
}

function labelOf(name: string, params: object): string {
  if (name !== 'gemm') return name;
  const { a, out } = params as GemmParams;
  return `gemm ${a.shape[0]}x${out.shape[1]}x${a.shape[1]}`;
}
