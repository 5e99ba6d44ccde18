import type { ConformanceCase } from '../case.ts';
import { ATTENTION_DECODE_CASES } from './attention-decode.ts';
import { ATTENTION_GRADIENT_CASES } from './attention-gradient.ts';
import { ATTENTION_PREFILL_CASES } from './attention-prefill.ts';
import { CACHE_CASES } from './cache-contents.ts';
import { FILL_CASES } from './fill.ts';
import { GRAPH_CASES } from './graph-replay.ts';
import { HALF_ATTENTION_CASES } from './half-attention.ts';
import { HALF_OP_CASES } from './half-ops.ts';
import { LINEAR_CASES } from './linear.ts';
import { LOGITS_CASES } from './logits.ts';
import { MISUSE_CASES } from './misuse.ts';
import { POINTWISE_CASES } from './pointwise.ts';
import { STALE_CACHE_CASES } from './stale-cache.ts';
import { STORAGE_CASES } from './storage.ts';

/** Every case that each backend must pass. The simple ops come first, so that the first failure points at the cause. */
export const CONFORMANCE_CASES: readonly ConformanceCase[] = [
  ...STORAGE_CASES,
  ...FILL_CASES,
  ...LINEAR_CASES,
  ...POINTWISE_CASES,
  ...LOGITS_CASES,
  ...HALF_OP_CASES,
  ...ATTENTION_PREFILL_CASES,
  ...CACHE_CASES,
  ...ATTENTION_DECODE_CASES,
  ...STALE_CACHE_CASES,
  ...ATTENTION_GRADIENT_CASES,
  ...HALF_ATTENTION_CASES,
  ...GRAPH_CASES,
  ...MISUSE_CASES,
];
