import { invalidArgument } from '../../core/errors.ts';
import type { Tensor } from '../../native/backend.ts';
import type { CacheLayout } from '../../plan/cache-layout.ts';
import { orAborted, throwIfAborted } from './abort.ts';
import { createCache, type ModelCache } from './caches.ts';
import { DecodeSession } from './decode.ts';
import { forEachLogits, prefillHidden } from './forward.ts';
import type { LanguageModel } from './language-model.ts';
import { notFinite } from './not-finite.ts';

/**
 * Decode steps that are enqueued ahead of what the host has read. So the stream never waits for JavaScript, and after a stop token at most
 * this many steps are wasted.
 */
export const STEPS_AHEAD = 4;

interface GenerateRequest {
  readonly tokens: Int32Array;
  /** The sequence's cache, with room for prompt and new tokens. */
  readonly layout: CacheLayout;
  readonly maxNewTokens: number;
}

/** Prompts with their caches, and when their continuations end. */
export interface GenerateOptions {
  /** A batch: their layouts share kind, dtype and sink (see `canShareCache`). */
  readonly requests: readonly GenerateRequest[];
  /** Default: the model's end tokens. Empty: run to maxNewTokens. */
  readonly stopTokens?: readonly number[];
  readonly chunkTokens?: number;
  /** `on` (default): decode steps are replayed from a recording where the backend can record. `off`: they are enqueued op by op. */
  readonly graph?: 'on' | 'off';
  readonly signal?: AbortSignal;
  readonly onToken?: (request: number, token: number) => void;
}

export interface GeneratedOutput {
  /** New tokens, the stop token included when one ended them. */
  readonly tokens: Int32Array;
  readonly finish: 'stop' | 'length';
  /** Bytes of keys and values of this sequence at the end. */
  readonly kvBytes: number;
}

/** What was generated, in the order of the requests, and what it took. */
export interface GenerateResult {
  readonly outputs: readonly GeneratedOutput[];
  /** Resident bytes of keys and values at the end: in all, and per [layer][kvHead] over the batch. */
  readonly kvBytes: { readonly resident: number; readonly perHead: Float64Array };
  /** From the first prompt's enqueueing until every first token was read. */
  readonly prefillMs: number;
  /** From then until the last token was read. */
  readonly decodeMs: number;
}

/**
 * Greedy continuations of a batch of prompts of any lengths: prompts are prefilled one after the other in chunks, then decoded together.
 * Finished sequences leave the batch. The cache is checked against the layouts before and after.
 * @throws MoaError INVALID_ARGUMENT, OUT_OF_MEMORY, UNSUPPORTED, ABORTED, INTERNAL (residence), INVALID_FILE (a NaN in the logits).
 */
export async function generate(model: LanguageModel, options: GenerateOptions): Promise<GenerateResult> {
  checkRequests(options);
  const cache = createCache(
    model,
    options.requests.map(({ layout }) => layout),
  );
  try {
    cache.assertResident();
    const states = options.requests.map(
      (request, i) => new RequestState(request, i, options.stopTokens ?? model.config.eosTokens, options.onToken),
    );
    const start = performance.now();
    const first = await prefillAll(model, cache, options);
    states.forEach((state, i) => {
      state.take(first[i]);
    });
    const prefilled = performance.now();
    await decodeAll(model, { cache, states, signal: options.signal, graph: options.graph });
    const end = performance.now();
    await model.backend.synchronize();
    cache.assertResident();
    return {
      outputs: states.map((s, i) => ({
        tokens: Int32Array.from(s.tokens),
        finish: s.finish ?? 'length',
        kvBytes: cache.plannedBytesPerHead(i).reduce((a, b) => a + b, 0), // asserted above to be what resides
      })),
      kvBytes: { resident: cache.kv.residentBytes, perHead: cache.kv.residentBytesPerHead() },
      prefillMs: prefilled - start,
      decodeMs: end - prefilled,
    };
  } finally {
    cache.dispose();
  }
}

/** What a request has produced. */
class RequestState {
  readonly sequence: number;
  readonly tokens: number[] = [];
  finish: 'stop' | 'length' | null = null;
  readonly #maxNewTokens: number;
  readonly #stopTokens: readonly number[];
  readonly #onToken: ((request: number, token: number) => void) | undefined;

  constructor(
    request: GenerateRequest,
    sequence: number,
    stopTokens: readonly number[],
    onToken?: (request: number, token: number) => void,
  ) {
    this.sequence = sequence;
    this.#maxNewTokens = request.maxNewTokens;
    this.#stopTokens = stopTokens;
    this.#onToken = onToken;
  }

  get remaining(): number {
    return this.finish === null ? this.#maxNewTokens - this.tokens.length : 0;
  }

  /** Records the next token; those computed past the end are dropped. */
  take(token: number | undefined): void {
    if (this.finish !== null) return;
    if (token === undefined || token < 0) throw notFinite(`request ${this.sequence}`, Number.NaN);
    this.tokens.push(token);
    if (this.#stopTokens.includes(token)) this.finish = 'stop';
    else if (this.tokens.length >= this.#maxNewTokens) this.finish = 'length';
    this.#onToken?.(this.sequence, token);
  }
}

async function prefillAll(model: LanguageModel, cache: ModelCache, options: GenerateOptions): Promise<Int32Array> {
  const { signal, chunkTokens } = options;
  const first = new Int32Array(options.requests.length);
  for (const [sequence, { tokens }] of options.requests.entries()) {
    const hidden = await prefillHidden(model, { cache, sequence, tokens, signal, ...(chunkTokens === undefined ? {} : { chunkTokens }) });
    try {
      first[sequence] = await greedyToken(model, hidden, signal);
    } finally {
      hidden.dispose();
    }
  }
  return first;
}

/** The most likely token after hidden [1, C]. */
async function greedyToken(model: LanguageModel, hidden: Tensor, signal: AbortSignal | undefined): Promise<number> {
  const id = model.backend.tensor('i32', [1]);
  try {
    await forEachLogits(model, hidden, (logits) => model.backend.argmax({ logits, out: id }));
    return (await orAborted(id.read(), signal))[0] ?? -1;
  } finally {
    id.dispose();
  }
}

interface DecodeRun {
  readonly cache: ModelCache;
  readonly states: readonly RequestState[];
  readonly signal: AbortSignal | undefined;
  readonly graph: 'on' | 'off' | undefined;
}

/** Decodes until every request is finished. Whenever some finish, it continues with a batch of the others. */
async function decodeAll(model: LanguageModel, run: DecodeRun): Promise<void> {
  for (;;) {
    const active = run.states.filter((s) => s.finish === null);
    if (active.length === 0) return;
    const session = new DecodeSession(model, {
      cache: run.cache,
      sequences: Int32Array.from(active, (s) => s.sequence),
      lastTokens: Int32Array.from(active, (s) => s.tokens.at(-1) ?? 0),
      graph: run.graph,
    });
    try {
      await decodeUntilOneFinishes(session, active, run.signal);
    } finally {
      session.dispose();
    }
  }
}

async function decodeUntilOneFinishes(
  session: DecodeSession,
  active: readonly RequestState[],
  signal: AbortSignal | undefined,
): Promise<void> {
  const pending: Promise<Int32Array>[] = [];
  let allowed = Math.min(...active.map((s) => s.remaining)); // more would run past a sequence's room in the cache
  try {
    while (active.every((s) => s.finish === null) || pending.length > 0) {
      throwIfAborted(signal);
      const isOpen = active.every((s) => s.finish === null);
      for (; isOpen && allowed > 0 && pending.length < STEPS_AHEAD; allowed--) pending.push(session.step());
      const tokens = await orAborted(pending.shift() ?? Promise.resolve(new Int32Array(0)), signal);
      active.forEach((state, b) => {
        state.take(tokens[b]);
      });
    }
  } finally {
    for (const promise of pending) promise.catch(() => {}); // after an error nobody else waits for these
  }
}

function checkRequests(options: GenerateOptions): void {
  if (options.requests.length === 0) throw invalidArgument('at least one request', 'requests', []);
  options.requests.forEach(({ maxNewTokens, tokens, layout }, i) => {
    if (!Number.isInteger(maxNewTokens) || maxNewTokens < 1)
      throw invalidArgument('a positive integer', `requests[${i}].maxNewTokens`, maxNewTokens);
    if (tokens.length === 0) throw invalidArgument('at least one token', `requests[${i}].tokens`, []);
    const most = tokens.length + maxNewTokens;
    if (layout.tokens < most)
      throw invalidArgument(`at least ${most} (prompt and new tokens)`, `requests[${i}].layout.tokens`, layout.tokens);
  });
}
