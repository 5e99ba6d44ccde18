import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { Worker } from 'node:worker_threads';
import type { Highs, Model, SparseMatrix } from 'highs';
import { MoaError } from '../../core/errors.ts';

/** Columns of a sparse matrix. The entries of column j are at [starts[j], starts[j + 1]) of indices (rows) and values. */
export interface SparseColumns {
  readonly cost: Float64Array;
  readonly upper: Float64Array;
  readonly starts: Int32Array;
  readonly indices: Int32Array;
  readonly values: Float64Array;
}

export interface LpRequest {
  readonly kind: 'lp';
  /** Start over with no columns. */
  readonly reset: boolean;
  readonly add: SparseColumns;
  /** New costs of all columns, those of `add` included. */
  readonly costs: Float64Array | null;
  readonly rowLower: Float64Array;
  readonly rowUpper: Float64Array;
}

export interface MipRequest {
  readonly kind: 'mip';
  readonly columns: SparseColumns;
  readonly rowLower: Float64Array;
  readonly rowUpper: Float64Array;
  readonly continuous: number;
  readonly start: Float64Array | null;
  readonly relativeGap: number;
  readonly maxNodes: number;
}

export interface LpResult {
  readonly status: 'optimal' | 'infeasible' | 'limit';
  readonly objective: number;
  readonly values: Float64Array;
  readonly rowDuals: Float64Array;
}

export interface MipResult {
  /** `limit`: stopped by nodes; values are the best found, empty when none was. */
  readonly status: 'optimal' | 'infeasible' | 'limit';
  readonly objective: number;
  readonly bound: number;
  readonly values: Float64Array;
}

/** What the types of Node 20 lack. */
type WasmModule = object;
declare const WebAssembly: { compile(bytes: Uint8Array): Promise<WasmModule> };

const require = createRequire(import.meta.url);
/** The WASM module, compiled once per process. V8 shares its code between threads, the optimized code too. */
let compiled: Promise<WasmModule> | undefined;

/**
 * HiGHS (WASM, one instance) in a worker thread: solves are synchronous there, so the event loop here stays free for progress and Ctrl-C.
 * `close` ends the thread at once, also in the middle of a solve, and rejects what is pending.
 */
export class HighsThread {
  readonly #worker: Worker;
  #pending: { resolve(value: unknown): void; reject(error: unknown): void } | undefined;
  #failure: MoaError | undefined;

  /** Starts the thread. */
  static async open(): Promise<HighsThread> {
    compiled ??= readFile(require.resolve('highs/runtime')).then((bytes) => WebAssembly.compile(bytes));
    return new HighsThread(await compiled);
  }

  private constructor(wasmModule: WasmModule) {
    // The worker gets its source as text, because a .ts file can't be its entry where TypeScript is only transformed in memory
    // (tests).
    this.#worker = new Worker(`(${serve.toString()})(require)`, {
      eval: true,
      execArgv: [],
      workerData: { highs: require.resolve('highs'), wasmModule },
    });
    this.#worker.on('message', (message: { readonly result?: unknown; readonly error?: string }) => {
      const pending = this.#pending;
      this.#pending = undefined;
      if (message.error === undefined) pending?.resolve(message.result);
      else pending?.reject(new MoaError(`The HiGHS solver failed: ${message.error}`, { code: 'INTERNAL' }));
    });
    this.#worker.on('error', (cause) => this.#fail(new MoaError('The HiGHS solver thread failed', { code: 'INTERNAL', cause })));
    this.#worker.on('exit', () => this.#fail(new MoaError('The HiGHS solver thread was ended', { code: 'ABORTED' })));
  }

  solveLp(request: LpRequest): Promise<LpResult> {
    return this.#call(request) as Promise<LpResult>;
  }

  solveMip(request: MipRequest): Promise<MipResult> {
    return this.#call(request) as Promise<MipResult>;
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  #call(request: LpRequest | MipRequest): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) {
        reject(this.#failure);
        return;
      }
      this.#pending = { resolve, reject };
      this.#worker.postMessage(request);
    });
  }

  #fail(error: MoaError): void {
    this.#failure ??= error;
    this.#pending?.reject(this.#failure);
    this.#pending = undefined;
  }
}

/** Runs in the worker from its source text: it may use nothing of this module but types. */
function serve(load: NodeJS.Require): void {
  const { parentPort, workerData } = load('node:worker_threads') as typeof import('node:worker_threads');
  const { highs: path, wasmModule } = workerData as { readonly highs: string; readonly wasmModule: WasmModule };
  const loading = (load(path) as (options: { readonly wasmModule: WasmModule }) => Promise<Highs>)({ wasmModule });
  let lp: Model | undefined;
  let columns = 0;

  function matrix(rows: number, add: SparseColumns): SparseMatrix {
    const { starts, indices, values } = add;
    return { format: 'csc', numRows: rows, numCols: add.cost.length, starts, indices, values };
  }

  function statusOf(highs: Highs, model: Model): 'optimal' | 'infeasible' | 'limit' {
    const { optimal, infeasible, unboundedOrInfeasible } = highs.constants.modelStatus;
    const status = model.getModelStatus();
    if (status === optimal) return 'optimal';
    return status === infeasible || status === unboundedOrInfeasible ? 'infeasible' : 'limit';
  }

  function solveLp(highs: Highs, request: LpRequest): LpResult {
    const { add, rowLower, rowUpper } = request;
    const rows = rowLower.length;
    const lower = new Float64Array(add.cost.length);
    if (request.reset || lp === undefined) {
      lp?.dispose();
      lp = highs.createModel({
        numCols: add.cost.length,
        numRows: rows,
        colCost: add.cost,
        colLower: lower,
        colUpper: add.upper,
        rowLower,
        rowUpper,
        matrix: matrix(rows, add),
      });
      lp.options.set({ output_flag: false, presolve: 'off', random_seed: 0 });
      columns = add.cost.length;
    } else {
      if (add.cost.length > 0) lp.addCols({ cost: add.cost, lower, upper: add.upper, matrix: matrix(rows, add) });
      columns += add.cost.length;
      lp.changeRowsBounds({ kind: 'range', from: 0, to: rows - 1 }, rowLower, rowUpper);
    }
    if (request.costs !== null) lp.changeColsCost({ kind: 'range', from: 0, to: columns - 1 }, request.costs);
    lp.run();
    const solution = lp.getSolution();
    return { status: statusOf(highs, lp), objective: lp.getObjectiveValue(), values: solution.colValue, rowDuals: solution.rowDual };
  }

  function solveMip(highs: Highs, request: MipRequest): MipResult {
    const { columns: of, rowLower, rowUpper } = request;
    const count = of.cost.length;
    const integrality = new Int32Array(count).fill(1);
    integrality.fill(0, count - request.continuous);
    const model = highs.createModel({
      numCols: count,
      numRows: rowLower.length,
      colCost: of.cost,
      colLower: new Float64Array(count),
      colUpper: of.upper,
      rowLower,
      rowUpper,
      matrix: matrix(rowLower.length, of),
      integrality,
    });
    try {
      model.options.set({
        output_flag: false,
        random_seed: 0,
        mip_rel_gap: request.relativeGap,
        mip_abs_gap: 1e-7,
        mip_max_nodes: request.maxNodes,
        // Measured on these masters: solves take a third of the time and give the same plans. The masters have no symmetry, and
        // starting plans are known.
        mip_heuristic_run_feasibility_jump: false,
        mip_detect_symmetry: false,
        mip_allow_restart: false,
      });
      if (request.start !== null) model.setSolution({ colValue: request.start });
      model.run();
      const status = statusOf(highs, model);
      const objective = status === 'infeasible' ? Number.POSITIVE_INFINITY : model.getObjectiveValue();
      const found = status !== 'infeasible' && Number.isFinite(objective) && model.info.get('primal_solution_status') === 2;
      return {
        status,
        objective: found ? objective : Number.POSITIVE_INFINITY,
        bound: Number(model.info.get('mip_dual_bound')),
        values: found ? model.getSolution().colValue : new Float64Array(),
      };
    } finally {
      model.dispose();
    }
  }

  parentPort?.on('message', (request: LpRequest | MipRequest) => {
    loading
      .then((highs) => (request.kind === 'lp' ? solveLp(highs, request) : solveMip(highs, request)))
      .then(
        (result) => parentPort.postMessage({ result }),
        (error: unknown) => parentPort.postMessage({ error: String((error as Error)?.message ?? error) }),
      );
  });
}
