import { invalidArgument, MoaError } from '../core/errors.ts';
import type { Backend, BackendTraits, DType, Graph, KvCache, KvCacheSpec, MemoryKind, MemoryUse, Ops, Tensor } from '../native/backend.ts';
import { checkOutputsApart } from './aliasing.ts';
import { attentionBackward, influence } from './attention-gradient-ops.ts';
import { attentionDecode, attentionPrefill, cacheAdvance, cacheAppend, decodeAppend } from './cache-ops.ts';
import { fillUniform } from './fill-uniform.ts';
import { add, copy, embedding, fill, gatherRows, gemm, scatterRows } from './linear-ops.ts';
import { argmax, crossEntropy, logSoftmax } from './logit-ops.ts';
import { MemoryLedger } from './memory-ledger.ts';
import { OpContext } from './op-context.ts';
import { rmsNorm, rmsNormBackward, rope, siluMul, siluMulBackward } from './pointwise-ops.ts';
import { ReferenceKvCache } from './reference-kv-cache.ts';
import { ReferenceTensor } from './reference-tensor.ts';
import { loadTfjs } from './tfjs-load.ts';

const OPS: { readonly [Name in keyof Ops]: (context: OpContext, params: Parameters<Ops[Name]>[0]) => void } = {
  gemm,
  embedding,
  rmsNorm,
  rmsNormBackward,
  rope,
  siluMul,
  siluMulBackward,
  add,
  copy,
  fill,
  fillUniform,
  gatherRows,
  scatterRows,
  attentionPrefill,
  cacheAppend,
  decodeAppend,
  attentionDecode,
  cacheAdvance,
  argmax,
  logSoftmax,
  crossEntropy,
  attentionBackward,
  influence,
};

/** Floats are float32 values rounded at every store, so that every op takes every float dtype. */
const TRAITS: BackendTraits = { halfActivations: true, graphs: false, timer: 'wall clock' };

/**
 * The independent reference backend: TensorFlow.js ops, automatic differentiation for every backward, attention by an explicit mask.
 * It is slow and runs each op before the call returns, so failures throw at once. Loads TensorFlow.js (about a second).
 */
export async function createTfjsBackend(): Promise<Backend> {
  const { tf, flavour, version, reason } = await loadTfjs();
  const ledger = new MemoryLedger();
  const context = new OpContext(tf, ledger);
  let open = true;
  const requireOpen = (): void => {
    if (!open) throw invalidArgument('a live backend', 'tfjs', 'a disposed one');
  };
  const bind = (name: keyof Ops): ((params: object) => void) => {
    const op = OPS[name] as (context: OpContext, params: object) => void;
    return (params) => {
      requireOpen();
      checkOutputsApart(name, params);
      tf.tidy(() => op(context, params));
    };
  };
  const ops = Object.fromEntries((Object.keys(OPS) as (keyof Ops)[]).map((name) => [name, bind(name)]));
  return {
    ...(ops as unknown as Ops),
    name: 'tfjs',
    traits: TRAITS,
    description: `TensorFlow.js ${version}, ${flavour === 'tfjs-cpu' ? 'pure JavaScript' : 'native TensorFlow'} (${reason})`,
    tensor(dtype: DType, shape: readonly number[], kind: MemoryKind = 'workspace'): Tensor {
      requireOpen();
      return ReferenceTensor.allocate(ledger, { dtype, shape, kind });
    },
    kvCache(spec: KvCacheSpec): KvCache {
      requireOpen();
      return new ReferenceKvCache(spec, ledger);
    },
    synchronize: () => Promise.resolve(),
    capture(): Graph {
      throw new MoaError('Expected a backend with graphs for capture but received tfjs', { code: 'UNSUPPORTED' });
    },
    time: (enqueue) => wallMs(enqueue, requireOpen),
    memory: (): MemoryUse => ledger.use(),
    substitutions: () => [],
    resetPeak: () => ledger.resetPeak(),
    setMemoryLimit(bytes: number): void {
      if (!(Number.isSafeInteger(bytes) && bytes >= 0)) throw invalidArgument('a whole number of bytes', 'setMemoryLimit', bytes);
      ledger.setLimit(bytes);
    },
    dispose(): Promise<void> {
      open = false;
      return Promise.resolve();
    },
  };
}

/** Wall time of ops that have run when their call returns. */
async function wallMs(enqueue: () => void, requireOpen: () => void): Promise<number> {
  requireOpen();
  const start = performance.now();
  enqueue();
  return performance.now() - start;
}
