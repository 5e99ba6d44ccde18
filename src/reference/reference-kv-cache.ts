import { BLOCK_TOKENS } from '../core/blocks.ts';
import { invalidArgument } from '../core/errors.ts';
import { BYTES_PER_ELEMENT, CACHE_POLICIES, type KvCache, type KvCacheSpec } from '../native/backend.ts';
import { roundToDType } from './float-rounding.ts';
import type { MemoryLedger } from './memory-ledger.ts';

/** Keys and values of one layer of one sequence by position, [tokens][Hkv * D] each. */
interface History {
  readonly keys: Float32Array[];
  readonly values: Float32Array[];
}

/**
 * A cache that keeps every token and leaves eviction to the mask, so that it shares nothing with ring storage. Resident bytes are
 * nevertheless those that the spec's policy implies: they are part of the contract that conformance compares.
 */
export class ReferenceKvCache implements KvCache {
  readonly spec: KvCacheSpec;
  readonly #ledger: MemoryLedger;
  readonly #lengths: Int32Array;
  readonly #histories: readonly History[]; // [sequences][layers]
  #counted = 0;
  #alive = true;

  constructor(spec: KvCacheSpec, ledger: MemoryLedger) {
    checkSpec(spec);
    this.spec = { ...spec, capacities: spec.capacities.slice() };
    this.#ledger = ledger;
    this.#lengths = new Int32Array(spec.sequences);
    this.#histories = Array.from({ length: spec.sequences * spec.layers }, () => ({ keys: [], values: [] }));
    this.#recount();
  }

  get ledger(): MemoryLedger {
    return this.#ledger;
  }
  get alive(): boolean {
    return this.#alive;
  }
  get residentBytes(): number {
    return this.#counted;
  }

  residentBytesPerHead(): Float64Array {
    const { policy, layers, kvHeads, capacities, headDim, dtype } = this.spec;
    const bytes = new Float64Array(layers * kvHeads);
    this.#histories.forEach((history, row) => {
      for (let head = 0; head < kvHeads; head++) {
        const slots = policy === 'dynamic' ? history.keys.length : (capacities[row * kvHeads + head] as number);
        const at = (row % layers) * kvHeads + head;
        bytes[at] = (bytes[at] as number) + 2 * slots * headDim * BYTES_PER_ELEMENT[dtype];
      }
    });
    return bytes;
  }

  lengths(): Promise<Int32Array> {
    return Promise.resolve(this.#lengths.slice());
  }

  reset(sequence: number): void {
    this.checkSequence(sequence);
    this.#lengths[sequence] = 0;
    for (let layer = 0; layer < this.spec.layers; layer++) {
      const history = this.#history(sequence, layer);
      history.keys.length = 0;
      history.values.length = 0;
    }
    this.#recount();
  }

  dispose(): void {
    if (!this.#alive) return;
    this.#alive = false;
    this.#ledger.give('kv', this.#counted);
  }

  lengthOf(sequence: number): number {
    this.checkSequence(sequence);
    return this.#lengths[sequence] as number;
  }

  /** Tokens in the head's window, the query's own included; Infinity where nothing is evicted. */
  window(sequence: number, layer: number, kvHead: number): number {
    const { policy, layers, kvHeads, capacities, sink } = this.spec;
    return policy === 'ring' ? (capacities[(sequence * layers + layer) * kvHeads + kvHead] as number) - sink : Infinity;
  }

  /** Throws unless `count` more tokens fit (`full` never drops one). */
  checkRoom(sequence: number, layer: number, count: number): void {
    const { policy, layers, kvHeads, capacities } = this.spec;
    if (policy !== 'full') return;
    const row = (sequence * layers + layer) * kvHeads;
    const capacity = Math.min(...capacities.subarray(row, row + kvHeads));
    const tokens = this.lengthOf(sequence) + count;
    if (tokens > capacity) throw invalidArgument(`at most ${capacity} tokens`, `sequence ${sequence} of the full KV cache`, tokens);
  }

  /** Puts tokens at positions length, length + 1, ...; keys and values are [count, Hkv * D] each. */
  append(at: { readonly sequence: number; readonly layer: number }, keys: Float32Array, values: Float32Array): void {
    const { kvHeads, headDim, dtype } = this.spec;
    const width = kvHeads * headDim;
    const first = this.lengthOf(at.sequence);
    const history = this.#history(at.sequence, at.layer);
    this.#checkStored(history, at, first);
    roundToDType(keys, dtype);
    roundToDType(values, dtype);
    history.keys.length = first; // tokens appended again before `advance` replace the first ones
    history.values.length = first;
    for (let start = 0; start < keys.length; start += width) {
      history.keys.push(keys.slice(start, start + width));
      history.values.push(values.slice(start, start + width));
    }
    this.#recount();
  }

  /** Keys and values of positions [0, tokens), [tokens, Hkv * D] each. */
  stored(at: { readonly sequence: number; readonly layer: number }, tokens: number): { keys: Float32Array; values: Float32Array } {
    const history = this.#history(at.sequence, at.layer);
    this.#checkStored(history, at, tokens);
    return { keys: concatenate(history.keys.slice(0, tokens)), values: concatenate(history.values.slice(0, tokens)) };
  }

  advance(sequence: number, count: number): void {
    this.#lengths[sequence] = this.lengthOf(sequence) + count;
  }

  checkSequence(sequence: number): void {
    const { sequences } = this.spec;
    if (!(Number.isInteger(sequence) && sequence >= 0 && sequence < sequences))
      throw invalidArgument(`an integer within [0, ${sequences})`, 'sequence', sequence);
  }

  #history(sequence: number, layer: number): History {
    return this.#histories[sequence * this.spec.layers + layer] as History;
  }

  #checkStored(history: History, at: { readonly sequence: number; readonly layer: number }, tokens: number): void {
    if (history.keys.length >= tokens) return;
    throw invalidArgument(`${tokens} appended tokens`, `layer ${at.layer}, sequence ${at.sequence} of the KV cache`, history.keys.length);
  }

  #recount(): void {
    const bytes = this.residentBytesPerHead().reduce((sum, n) => sum + n, 0);
    if (bytes > this.#counted) this.#ledger.take('kv', bytes - this.#counted);
    else this.#ledger.give('kv', this.#counted - bytes);
    this.#counted = bytes;
  }
}

function concatenate(rows: readonly Float32Array[]): Float32Array {
  const width = rows[0]?.length ?? 0;
  const out = new Float32Array(rows.length * width);
  rows.forEach((row, i) => {
    out.set(row, i * width);
  });
  return out;
}

function checkSpec(spec: KvCacheSpec): void {
  for (const name of ['sequences', 'layers', 'kvHeads', 'headDim'] as const) {
    if (!(Number.isSafeInteger(spec[name]) && spec[name] >= 1)) throw invalidArgument('a positive integer', name, spec[name]);
  }
  if (!CACHE_POLICIES.includes(spec.policy)) throw invalidArgument(`one of ${CACHE_POLICIES.join(', ')}`, 'policy', spec.policy);
  if (!['f32', 'f16', 'bf16'].includes(spec.dtype)) throw invalidArgument('one of f32, f16, bf16', 'dtype', spec.dtype);
  if (!(Number.isInteger(spec.sink) && spec.sink >= 0 && spec.sink % BLOCK_TOKENS === 0))
    throw invalidArgument(`a multiple of ${BLOCK_TOKENS}`, 'sink', spec.sink);
  const count = spec.policy === 'dynamic' ? 0 : spec.sequences * spec.layers * spec.kvHeads;
  const { capacities } = spec;
  if (!(capacities instanceof Int32Array) || capacities.length !== count)
    throw invalidArgument(`${count} entries`, 'capacities', capacities);
  const bad = capacities.find((n) => n % BLOCK_TOKENS !== 0 || n <= spec.sink);
  if (bad !== undefined) throw invalidArgument(`multiples of ${BLOCK_TOKENS} above the sink ${spec.sink}`, 'capacities', bad);
}
