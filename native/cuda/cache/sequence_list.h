#pragma once
// Lists of sequences inside kernel params, so that a launch that is captured or replayed copies
// nothing from host memory.
#include <algorithm>
#include <cstdint>

#include "moa/view.h"

namespace moa::cuda {

/// Sequences per launch: 2 KB of params. Longer lists take several launches.
constexpr int32_t kListedSequences = 512;

struct SequenceList {
  int32_t count;
  int32_t values[kListedSequences];
};

/// Calls f(first, list) for consecutive parts of `sequences`; `first` is the index of the part's
/// first sequence.
template <class F>
void for_each_sequence_list(View<int32_t> sequences, F f) {
  const auto total = static_cast<int32_t>(sequences.count);
  for (int32_t first = 0; first < total; first += kListedSequences) {
    SequenceList list{};
    list.count = std::min(kListedSequences, total - first);
    std::copy_n(sequences.begin() + first, list.count, list.values);
    f(first, list);
  }
}

}  // namespace moa::cuda
