import type { SuiteParts } from './schema.ts';

type OnProblem = (path: readonly (string | number)[], message: string) => void;

/** Rules of a suite that concern several of its parts at once; each problem has the path of the value that is wrong. */
export function checkAcross(suite: SuiteParts, problem: OnProblem): void {
  checkMethods(suite, problem);
  checkCompress(suite, problem);
  checkSemantics(suite, problem);
  checkEfficiency(suite, problem);
  checkRetrievalFiles(suite, problem);
  checkBackend(suite, problem);
}

/** Refuses an option of another backend, which would do nothing. */
function checkBackend({ backend }: SuiteParts, problem: OnProblem): void {
  const { name, threads, device } = backend;
  if (threads !== undefined && name !== 'cpu') problem(['backend', 'threads'], `Expected the backend cpu for threads but received ${name}`);
  if (device !== undefined && name !== 'cuda') problem(['backend', 'device'], `Expected the backend cuda for device but received ${name}`);
}

function checkMethods(suite: SuiteParts, problem: OnProblem): void {
  const seen = new Set<string>();
  suite.methods.forEach((method, i) => {
    if (seen.has(method.id)) problem(['methods', i, 'id'], `Expected unique method ids but received "${method.id}" again`);
    seen.add(method.id);
    if (method.method === 'moa' && suite.compress === undefined) {
      problem(['methods', i, 'method'], 'Expected a compress section because this method profiles the model');
    }
  });
  const { baseline } = suite.report;
  if (baseline !== undefined && !seen.has(baseline)) {
    problem(['report', 'baseline'], `Expected one of the method ids (${[...seen].join(', ')}) but received "${baseline}"`);
  }
}

/** Refuses what profiling and optimization would not read: a setting without effect is a misunderstanding. */
function checkCompress({ compress, methods }: SuiteParts, problem: OnProblem): void {
  methods.forEach((method, i) => {
    if (
      method.method !== 'moa' ||
      method.rulesPerLayer === undefined ||
      method.heterogeneity === 'heads' ||
      method.heterogeneity === 'elastic'
    )
      return;
    problem(
      ['methods', i, 'rulesPerLayer'],
      `Expected heterogeneity heads or elastic for rulesPerLayer but received ${method.heterogeneity}`,
    );
  });
  if (compress === undefined) return;
  if (!methods.some((method) => method.method === 'moa'))
    problem(['compress'], 'Expected a moa method because no other method reads this section');
  if (compress.intervals !== undefined && compress.profileLengths.length === 1)
    problem(['compress', 'intervals'], 'Expected several profileLengths, whose objectives the intervals divide, but received one');
}

/** Choices of semantics that nothing would read, or that rule each other out. */
function checkSemantics({ compress, methods, generation }: SuiteParts, problem: OnProblem): void {
  if (generation.reserveAfter !== undefined && generation.reserveTokens === undefined && compress?.semantics !== 'released')
    problem(['generation', 'reserveAfter'], 'Expected generation.reserveTokens, the reserve that begins there, but it is missing');
  if (compress === undefined) return;
  const found = methods.flatMap((method) => (method.method === 'moa' ? [{ semantics: compress.semantics, ...method }] : []));
  const readsEpsilon = found.some(({ criterion, semantics }) => (criterion ?? (semantics === 'released' ? 'moa' : 'joint')) === 'moa');
  if (compress.epsilon !== undefined && !readsEpsilon)
    problem(['compress', 'epsilon'], 'Expected a method of criterion moa, the only one that reads epsilon, but received none');
  if (compress.grid !== undefined && compress.profileLengths.length === 1)
    problem(['compress', 'grid'], 'Expected several profileLengths, whose objectives the grid bounds, but received one');
  methods.forEach((method, i) => {
    if (method.method !== 'moa' || method.heterogeneity === 'elastic') return;
    const semantics = method.semantics ?? compress.semantics;
    if ((compress.candidates ?? (semantics === 'released' ? 'released' : 'extended')) !== 'released') return;
    problem(
      ['methods', i, 'heterogeneity'],
      `Expected elastic because the released candidates are for it alone, but received ${method.heterogeneity}; compress.candidates: extended has rules for it`,
    );
  });
}

function checkEfficiency({ efficiency, methods }: SuiteParts, problem: OnProblem): void {
  if (efficiency === undefined) return;
  if (efficiency.caches.length > 0 && !methods.some((m) => m.method === 'dense')) {
    problem(['efficiency', 'caches'], 'Expected a dense method because further caches are dense baselines');
  }
  const { lengths = [], newTokens = 0 } = efficiency.decode ?? {};
  lengths.forEach((length, i) => {
    // The length holds the prompt, the one token that prefill gives and the new tokens. The prompt needs at least one token.
    if (length >= newTokens + 2) return;
    problem(
      ['efficiency', 'decode', 'lengths', i],
      `Expected at least ${newTokens + 2} (newTokens + 2: the prompt lies within the length) but received ${length}`,
    );
  });
}

/** The task of LongEval's files is line retrieval, whatever name a suite gives it. */
const LONGEVAL_TASK = 'lines';

function checkRetrievalFiles({ quality }: SuiteParts, problem: OnProblem): void {
  const source = quality?.retrieval?.source;
  if (source?.kind !== 'longeval') return;
  const { task } = quality?.retrieval ?? {};
  if (task !== LONGEVAL_TASK)
    problem(['quality', 'retrieval', 'task'], `Expected "${LONGEVAL_TASK}", which is what LongEval files hold, but received "${task}"`);
  source.files.forEach(({ length }, i) => {
    if (quality?.retrieval?.lengths.includes(length)) return;
    problem(['quality', 'retrieval', 'source', 'files', i, 'length'], `Expected one of quality.retrieval.lengths but received ${length}`);
  });
  const given = new Set(source.files.map((file) => file.length));
  quality?.retrieval?.lengths.forEach((length, i) => {
    if (!given.has(length)) problem(['quality', 'retrieval', 'lengths', i], `Expected a file of length ${length} in source.files`);
  });
}

/** The method that others are compared with when the suite names none: the first dense one, else the first. */
export function defaultBaseline({ methods }: SuiteParts): string {
  return (methods.find((m) => m.method === 'dense') ?? methods[0])?.id ?? '';
}
