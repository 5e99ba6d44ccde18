// Reads the kernels of a built library, in the order of the table.
import { readCubin } from './cubin.mjs';
import { cubinsOf } from './fatbin.mjs';

/** `{ compiler, kernels }` of the bytes of a shared library. Kernels are sorted by architecture, name and symbol; each is there once. */
export function readLibrary(bytes) {
  const cubins = cubinsOf(bytes).map(readCubin);
  const kernels = withoutCopies(cubins.flatMap((cubin) => cubin.kernels));
  if (kernels.length === 0) throw new Error('Expected kernels in the library but found none');
  return {
    compiler: [...new Set(cubins.map(({ compiler }) => compiler))].join(' and '),
    kernels: kernels.sort((a, b) => compare(a.arch, b.arch) || compare(a.name, b.name) || compare(a.symbol, b.symbol)),
  };
}

/** Removes copies: when two files instantiate the same template, it is in both of their cubins. */
function withoutCopies(kernels) {
  const kept = new Map();
  for (const kernel of kernels) {
    const key = `${kernel.arch} ${kernel.symbol}`;
    const other = kept.get(key);
    if (other !== undefined && other.hash !== kernel.hash)
      throw new Error(`Expected one code for ${key} but found two: rename one of the kernels`);
    kept.set(key, kernel);
  }
  return [...kept.values()];
}

function compare(a, b) {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
