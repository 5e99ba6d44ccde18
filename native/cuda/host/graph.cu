// Records what is enqueued as one CUDA graph, and replays it. The graph keeps the scratch memory
// that its kernels use. No kernels here.
#include <utility>

#include "cuda/host/graph.h"

namespace moa::cuda {

namespace {

/// Ends the capture in every case. `graph` is null when something in the capture failed.
cudaError_t stop_capture(Context& context, cudaGraph_t* graph) {
  const cudaError_t status = cudaStreamEndCapture(context.capture_stream, graph);
  context.stream = context.main_stream;
  context.capturing = false;
  return status;
}

}  // namespace

Graph::~Graph() {
  // If the graph is still running, the driver frees it when it is done.
  if (executable != nullptr && cudaGraphExecDestroy(executable) != cudaSuccess) cudaGetLastError();
}

void capture_begin(Context& context) {
  if (context.capturing) throw Error(ErrorCode::kInternal, "A graph is being captured already");
  // The relaxed mode allows allocations on the main stream and lazy loading of kernels while the
  // capture stream records.
  MOA_CUDA_CHECK(cudaStreamBeginCapture(context.capture_stream, cudaStreamCaptureModeRelaxed));
  context.stream = context.capture_stream;
  context.capturing = true;
}

std::unique_ptr<Graph> capture_end(Context& context) {
  if (!context.capturing) throw Error(ErrorCode::kInternal, "No graph is being captured");
  auto result = std::make_unique<Graph>();
  result->blas = context.blas;
  cudaGraph_t recorded = nullptr;
  const cudaError_t status = stop_capture(context, &recorded);
  result->buffers = std::exchange(context.captured_buffers, {});
  for (const std::shared_ptr<ScratchBuffer>& buffer : context.scratch_buffers) {
    if (buffer != nullptr) result->buffers.push_back(buffer);
  }
  MOA_CUDA_CHECK(status);
  const cudaError_t instantiated = cudaGraphInstantiate(&result->executable, recorded, 0);
  cudaGraphDestroy(recorded);
  MOA_CUDA_CHECK(instantiated);
  return result;
}

void capture_abandon(Context& context) {
  if (!context.capturing) return;
  cudaGraph_t recorded = nullptr;
  stop_capture(context, &recorded);
  if (recorded != nullptr) cudaGraphDestroy(recorded);
  context.captured_buffers.clear();
  cudaGetLastError();
}

void graph_launch(Context& context, const Graph& graph) {
  if (context.capturing)
    throw Error(ErrorCode::kInternal, "A graph cannot run while another is captured");
  MOA_CUDA_CHECK(cudaGraphLaunch(graph.executable, context.main_stream));
}

}  // namespace moa::cuda
