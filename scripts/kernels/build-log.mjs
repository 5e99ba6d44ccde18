// When ptxas gives up on overlapping wgmma or on setmaxnreg, it says so only as information, which no warning option turns into an error.
import { displayName, stableSymbol } from './kernel-name.mjs';

const ADVICE = /Potential Performance Loss|\(C75\d\d\)/;

/** The lines of a build's output with such information, each once, with readable names of kernels. */
export function performanceAdvice(log) {
  const lines = log.split('\n').filter((line) => ADVICE.test(line));
  return [...new Set(lines.map((line) => line.trim().replace(/'(_Z\w+)'/g, (_, symbol) => `'${displayName(stableSymbol(symbol))}'`)))];
}
