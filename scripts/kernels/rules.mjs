// What holds for kernels whatever the table says, by their names.
import { labelOf } from './table.mjs';

const NONE = /^$/;
/**
 * Kernels whose time counts, and the subroutines that each may call. The slow paths of a correctly rounded division or square root
 * are called for subnormal and huge numbers only, but what chooses them is too much for an inner loop.
 */
const HOT = [
  { name: /^influence_(mma|wgmma)_/, calls: /_slowpath$/ }, // they divide at the end of rows
  { name: /_(mma|wgmma|streamk)_/, calls: NONE },
  { name: /^(cache_append|decode_append|rope|embedding|argmax|add)_/, calls: NONE },
  { name: /^(rms_norm|silu_mul)_(?!backward_)/, calls: /_slowpath$/ },
];
// What ptxas calls on sm_80 where a warp that shuffles has diverged, which ours do not.
const DIVERGED = /^(warpsync|shflsync_|votesync_|matchsync_)/;

// Known and not worth more: 24 bytes at 255 registers, on an architecture whose speed nobody has measured.
const SPILLING = [{ arch: 'sm_80', name: /^attention_backward_queries_mma_kernel<.*, 128>/ }];

/** The rules that kernels break, a line each. */
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
    // ptxas gives every wgmma a fence and a wait of its own when accumulators are touched in between or registers run out.
    [wgmma && HGMMA > 0 && WARPGROUP >= 2 * HGMMA, `its wgmma are serialized (${HGMMA} HGMMA, ${WARPGROUP} fences and waits)`],
  ];
  return rules.filter(([broken]) => broken).map(([, text]) => text);
}
