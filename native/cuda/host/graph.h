#pragma once
// CUDA graphs. What is enqueued between begin and end is recorded on the capture stream; it is
// replayed on the main stream.
#include <memory>

#include "cuda/host/context.h"

namespace moa::cuda {

struct Graph {
  Graph() = default;
  ~Graph();
  Graph(const Graph&) = delete;
  cudaGraphExec_t executable = nullptr;
  // Memory and library handles that the recorded launches use.
  std::vector<std::shared_ptr<ScratchBuffer>> buffers;
  std::shared_ptr<BlasLt> blas;
};

void capture_begin(Context& context);
/// Afterwards the context runs ops again, even if this throws.
std::unique_ptr<Graph> capture_end(Context& context);
/// Forgets what was recorded, and the errors that ended it. Without a capture it does nothing.
void capture_abandon(Context& context);
void graph_launch(Context& context, const Graph& graph);

}  // namespace moa::cuda
