// The committed table of kernels (native/cuda/kernels.json): what the compiler made of each kernel, and which GPU record timed that code.

const MEASURED_ARCH = 'sm_90a'; // the only architecture on which kernels were timed
// The hash is not among them: other code with the same resources is no failure, only unmeasured.
const FIELDS = ['registers', 'stackBytes', 'sharedBytes'];

/** The text of the table: one kernel per line, so that a diff reads like a list of changes. */
export function formatTable({ compiler, kernels }) {
  const lines = kernels.map((kernel) => `    ${JSON.stringify(kernel)}`);
  return `{\n  "compiler": ${JSON.stringify(compiler)},\n  "kernels": [\n${lines.join(',\n')}\n  ]\n}\n`;
}

/**
 * The table of a built library. A kernel keeps the record that `previous` has for it, even if its file was renamed since then, as long as
 * its code is the same. With `record`, the present code of every kernel counts as measured by that record.
 */
export function tableOf({ compiler, kernels }, previous, record) {
  const measured = new Map(previous.kernels.map((kernel) => [keyOf(kernel), kernel.measured ?? null]));
  const moved = new Map(previous.kernels.map((kernel) => [codeOf(kernel), kernel.measured ?? null]));
  const rows = kernels.map(({ symbol, subroutines, ...kernel }) => {
    if (kernel.arch !== MEASURED_ARCH) return { ...kernel, symbol };
    const kept = measured.get(keyOf({ ...kernel, symbol })) ?? moved.get(codeOf(kernel)) ?? null;
    return { ...kernel, measured: record === undefined ? kept : { record, hash: kernel.hash }, symbol };
  });
  return { compiler, kernels: rows };
}

/** What differs between the table and the library, one line per kernel: `sm_90a rope_kernel<Half>: registers 40 -> 48`. */
export function differences(table, library) {
  const sameCompiler = table.compiler === library.compiler;
  const recorded = new Map(table.kernels.map((kernel) => [keyOf(kernel), kernel]));
  const lines = [];
  for (const kernel of library.kernels) {
    const before = recorded.get(keyOf(kernel));
    recorded.delete(keyOf(kernel));
    // Another compiler makes other code from the same source, so fields are not compared.
    const changes = before === undefined ? ['added'] : sameCompiler ? changedFields(before, kernel) : [];
    if (changes.length > 0) lines.push(`${labelOf(kernel)}: ${changes.join(', ')}`);
  }
  return [...lines, ...[...recorded.values()].map((kernel) => `${labelOf(kernel)}: removed`)];
}

/** Kernels whose code no GPU record has timed, with the instances of a template on one line: `rope_kernel<Half> and 2 more (never measured)`. */
export function unmeasured(table, library) {
  const recorded = new Map(table.kernels.map((kernel) => [keyOf(kernel), kernel.measured ?? null]));
  const groups = new Map();
  for (const kernel of library.kernels) {
    const measured = recorded.get(keyOf(kernel)) ?? null;
    if (kernel.arch !== MEASURED_ARCH || measured?.hash === kernel.hash) continue;
    const reason = measured === null ? 'never measured' : `changed since ${measured.record}`;
    const group = `${kernel.name.replace(/<.*/, '')} ${reason}`;
    groups.set(group, { reason, names: [...(groups.get(group)?.names ?? []), kernel.name] });
  }
  return [...groups.values()].map(({ reason, names: [first, ...more] }) => {
    return `${first}${more.length > 0 ? ` and ${more.length} more` : ''} (${reason})`;
  });
}

export function labelOf({ arch, name }) {
  return `${arch} ${name}`;
}

function keyOf({ arch, symbol }) {
  return `${arch} ${symbol}`;
}

function codeOf({ arch, name, hash }) {
  return `${arch} ${name} ${hash}`;
}

function changedFields(before, after) {
  const opcodes = [...new Set([...Object.keys(before.opcodes), ...Object.keys(after.opcodes)])];
  return [
    ...FIELDS.map((field) => [field, before[field], after[field]]),
    ...opcodes.map((name) => [name, before.opcodes[name] ?? 0, after.opcodes[name] ?? 0]),
  ]
    .filter(([, from, to]) => from !== to)
    .map(([field, from, to]) => `${field} ${from} -> ${to}`);
}
