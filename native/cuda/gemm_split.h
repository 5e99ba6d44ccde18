#pragma once
// How out[M, N] = a[M, K] . b[N, K]^T of few rows is cut over the device (stream-K, arXiv
// 2301.03598): host and device arithmetic, tested on the CPU.
//
// A block is some rows of b, a slab a length of K. The slabs of all blocks, end to end, are cut
// into as many equal ranges as there are CTAs, so that all SMs read the same number of bytes
// whatever N is. What a CTA does of one block is a piece: of a block that it shares with other CTAs
// a partial sum, which the last of them to arrive adds up, in the CTAs' order. A CTA does its
// shared pieces first, so that waiting for one another hides behind the whole blocks that follow.
#include <cstdint>

#include "moa/ring.h"

namespace moa::cuda {

struct GemmSplit {
  int32_t slabs = 0;  // of a block
  int32_t ctas = 0;
  int32_t share = 0, extra = 0;  // slabs of a CTA; the first `extra` CTAs do one more

  MOA_HOST_DEVICE int32_t first_slab(int32_t cta) const {
    return cta * share + (cta < extra ? cta : extra);
  }
  /// The CTA that does `slab` of all.
  MOA_HOST_DEVICE int32_t cta_of(int32_t slab) const {
    const int32_t longer = extra * (share + 1);
    return slab < longer ? slab / (share + 1) : extra + (slab - longer) / share;
  }
};

inline GemmSplit gemm_split(int32_t blocks, int32_t slabs, int32_t multiprocessors,
                            int32_t min_share) {
  const int32_t total = blocks * slabs;
  const int32_t wanted = total / min_share;
  GemmSplit split;
  split.slabs = slabs;
  split.ctas = wanted < 1 ? 1 : wanted < multiprocessors ? wanted : multiprocessors;
  split.share = total / split.ctas;
  split.extra = total % split.ctas;
  return split;
}

/// A CTA's slabs in the order in which it does them: the end of a block that CTAs before it began,
/// the start of one that CTAs after it end, then whole blocks.
struct GemmRange {
  int32_t first = 0, count = 0, slabs = 0;
  int32_t head = 0, tail = 0;  // slabs of the two shared pieces; a range within a block is a head

  MOA_HOST_DEVICE GemmRange(const GemmSplit& split, int32_t cta)
      : first(split.first_slab(cta)), count(split.first_slab(cta + 1) - first), slabs(split.slabs) {
    const int32_t inside = first % slabs;
    const int32_t rest = inside == 0 ? 0 : slabs - inside;
    head = rest < count ? rest : count;
    tail = head < count ? (first + count) % slabs : 0;
  }
  /// Which of all slabs is done at `position`, 0 <= position < count.
  MOA_HOST_DEVICE int32_t slab_at(int32_t position) const {
    if (position < head) return first + position;
    const int32_t after = position - head;
    return after < tail ? first + count - tail + after : first + position - tail;
  }
  /// Where the piece that starts at position `start` ends.
  MOA_HOST_DEVICE int32_t piece_end(int32_t start) const {
    if (start < head) return head;
    return start < head + tail ? head + tail : start + slabs;
  }
};

/// The CTAs that share a block, and where a CTA leaves its partial sum of it. A CTA has at most one
/// shared block that it begins and one that it does not.
struct GemmSharers {
  int32_t first, last;

  MOA_HOST_DEVICE GemmSharers(const GemmSplit& split, int32_t block)
      : first(split.cta_of(block * split.slabs)),
        last(split.cta_of(block * split.slabs + split.slabs - 1)) {}
  MOA_HOST_DEVICE int32_t count() const { return last - first + 1; }
  MOA_HOST_DEVICE int32_t slot(int32_t cta) const { return 2 * cta + (cta == first ? 1 : 0); }
};

}  // namespace moa::cuda
