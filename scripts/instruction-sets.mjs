// The instruction sets, as -march names them, for which the native code is built in addition to this machine's own.
import { readFileSync } from 'node:fs';

/** The flags of /proc/cpuinfo that a machine must have to run the code. */
const NEEDS = {
  'x86-64': [],
  'x86-64-v3': ['avx2', 'fma', 'f16c', 'bmi2'],
  'x86-64-v4': ['avx512f', 'avx512bw', 'avx512cd', 'avx512dq', 'avx512vl'],
};

/** SSE2, AVX2 and AVX-512 on x86 machines; elsewhere none. */
export const INSTRUCTION_SETS = process.arch === 'x64' ? Object.keys(NEEDS) : [];

export function canRun(instructionSet) {
  const needs = NEEDS[instructionSet] ?? [];
  if (needs.length === 0) return true;
  try {
    const flags = /^flags\s*:(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1]?.trim().split(/\s+/) ?? [];
    return needs.every((flag) => flags.includes(flag));
  } catch {
    return false; // not Linux: unknown, so the code is not run
  }
}
