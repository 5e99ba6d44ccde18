// Rules that kernels must follow, whatever the table says. Which rules apply to a kernel depends on its name.
import { labelOf } from './table.mjs';

const NONE = /^$/;
/**
 * Kernels whose time counts, and the subroutines that each may call. The slow path of a correctly rounded division or square root is
 * called only for subnormal and huge numbers, but even the test for it takes too long in an inner loop.
 */
const HOT = [
  { name: /^influence_(mma|wgmma)_/, calls: /_slowpath$/ }, // they divide at the end of rows
  { name: /_(mma|wgmma|streamk)_/, calls: NONE },
  { name: /^(cache_append|decode_append|rope|embedding|argmax|add)_/, calls: NONE },
  { name: /^(rms_norm|silu_mul)_(?!backward_)/, calls: /_slowpath$/ },
];
// Subroutines that ptxas calls on sm_80 in case a warp that shuffles has diverged. In our kernels none has.
const DIVERGED = /^(warpsync|shflsync_|votesync_|matchsync_)/;

// Kernels that are allowed to spill: 24 bytes with 255 registers, on an architecture on which nobody has measured the speed.
const SPILLING = [{ arch: 'sm_80', name: /^attention_backward_queries_mma_kernel<.*, 128>/ }];

/** One line for each rule that a kernel breaks. */
export function brokenRules(kernels) {
  return kernels.flatMap((kernel) => brokenBy(kernel).map((text) => `${labelOf(kernel)}: ${text}`));
}

function brokenBy({ arch, name, opcodes, stackBytes, subroutines }) {
  const { LDL = 0, STL = 0, HMMA = 0, HGMMA = 0, WARPGROUP = 0 } = opcodes;
  const hot = HOT.find((kind) => kind.name.test(name));
  const spills = SPILLING.some((known) => known.arch === arch && known.name.test(name));
  const called = subroutines.filter((subroutine) => !DIVERGED.test(subroutine) && !hot?.calls.test(subroutine));
  if (opcodes['CALL.ABS'] > 0) called.push('functions of the CUDA runtime');
  const wgmma = /_wgmma_/.test(name) && arch.startsWith('sm_90');
  const rules = [
    [hot && !spills && LDL + STL > 0, `hot, but it uses local memory (${LDL} loads, ${STL} stores)`],
    [hot && !spills && stackBytes > 0, `hot, but it has a stack of ${stackBytes} bytes`],
    [hot && called.length > 0, `hot, but it calls ${called.join(', ')}`],
    [/_mma_/.test(name) && HMMA === 0, 'named mma, but it has no HMMA instruction'],
    [wgmma && HGMMA === 0, 'named wgmma, but it has no HGMMA instruction'],
    // When accumulators are touched between wgmma, or registers run out, ptxas gives every wgmma its own fence and wait.
    [wgmma && HGMMA > 0 && WARPGROUP >= 2 * HGMMA, `its wgmma are serialized (${HGMMA} HGMMA, ${WARPGROUP} fences and waits)`],
  ];
  return rules.filter(([broken]) => broken).map(([, text]) => text);
}
