#pragma once
// Sequences within kernel params, so that nothing is copied from host memory when a launch is
// captured or replayed.
#include <algorithm>
#include <cstdint>

#include "moa/view.h"

namespace moa::cuda {

/// 2 KB of params a launch; longer lists take more launches.
constexpr int32_t kListedSequences = 512;

struct SequenceList {
  int32_t count;
  int32_t values[kListedSequences];
};

/// Calls f(first, list) for runs of `sequences` in order; `first` is the index of the run's first
/// one.
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
