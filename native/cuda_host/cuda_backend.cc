#include "cuda_host/cuda_backend.h"

#include <functional>
#include <mutex>
#include <sstream>
#include <unordered_map>
#include <utility>
#include <vector>

#include "cuda_host/cuda_device.h"
#include "cuda_host/cuda_kv_cache.h"
#include "cuda_host/cuda_library.h"
#include "moa/error.h"

namespace moa::cuda {

namespace {

CudaKvCache& cuda_cache(KvCache* cache) {
  return *static_cast<CudaKvCache*>(cache);
}

/// Gives the library scratch memory for its kernels from the backend's pool, which counts it.
class ScratchAccount {
 public:
  explicit ScratchAccount(std::shared_ptr<MemoryPool> pool) : pool_(std::move(pool)) {}

  MemoryHooks hooks() { return {this, &ScratchAccount::allocate, &ScratchAccount::release}; }

 private:
  static void* allocate(void* user, int64_t bytes, const char* name) {
    auto* self = static_cast<ScratchAccount*>(user);
    try {
      auto allocation = self->pool_->allocate(bytes, MemoryKind::kWorkspace, name);
      void* data = allocation->data();
      const std::lock_guard lock(self->mutex_);
      self->allocations_.emplace(data, std::move(allocation));
      return data;
    } catch (...) {
      return nullptr;  // the library reports null as out of memory
    }
  }
  static void release(void* user, void* data) {
    auto* self = static_cast<ScratchAccount*>(user);
    std::shared_ptr<Allocation> last;
    const std::lock_guard lock(self->mutex_);
    const auto found = self->allocations_.find(data);
    if (found == self->allocations_.end()) return;
    last = std::move(found->second);
    self->allocations_.erase(found);
  }

  std::shared_ptr<MemoryPool> pool_;
  std::mutex mutex_;
  std::unordered_map<void*, std::shared_ptr<Allocation>> allocations_;
};

/// A recorded graph, with the work that the host does at each replay. It holds the ScratchAccount,
/// because the graph on the device may own scratch memory.
class CudaGraph final : public CommandGraph {
 public:
  using HostEffects = std::vector<std::function<void()>>;

  CudaGraph(std::shared_ptr<CudaDevice> device, std::shared_ptr<ScratchAccount> scratch,
            Graph* graph, HostEffects effects)
      : scratch_(std::move(scratch)),
        device_(std::move(device)),
        graph_(graph),
        effects_(std::move(effects)) {}
  ~CudaGraph() override { device_->api().graph_destroy(device_->context(), graph_); }

  void replay() override {
    for (const auto& effect : effects_) effect();
    device_->check(device_->api().graph_launch(device_->context(), graph_));
  }

 private:
  std::shared_ptr<ScratchAccount> scratch_;
  std::shared_ptr<CudaDevice> device_;
  Graph* graph_;
  HostEffects effects_;
};

class CudaBackend final : public Backend {
 public:
  CudaBackend(const Api& api, int device)
      : device_(std::make_shared<CudaDevice>(api, device)),
        pool_(std::make_shared<MemoryPool>(std::make_shared<CudaAllocator>(device_))),
        scratch_(std::make_shared<ScratchAccount>(pool_)) {
    const MemoryHooks hooks = scratch_->hooks();
    api.set_memory_hooks(device_->context(), &hooks);
  }
  ~CudaBackend() override {
    api().bind_thread(device_->context());
    api().drop_scratch(device_->context());
    const MemoryHooks none;
    api().set_memory_hooks(device_->context(), &none);
  }

  DeviceTraits traits() const override {
    return {.name = "cuda",
            .half_activations = true,
            .host_memory = false,
            .device_graphs = true,
            .timer = "cuda events"};
  }
  std::string description() const override {
    const DeviceInfo& info = device_->info();
    const auto version = [](int32_t v) {
      return std::to_string(v / 1000) + "." + std::to_string(v % 1000 / 10);
    };
    return "cuda: " + std::string(info.name) + " (device " + std::to_string(info.device) + ", sm_" +
           std::to_string(info.sm_major) + std::to_string(info.sm_minor) + ", " +
           std::to_string(info.multiprocessors) + " SMs, " +
           std::to_string(info.total_bytes >> 20) + " MiB), CUDA " + version(info.runtime_version) +
           ", driver " + version(info.driver_version) + ", " + info.blas;
  }
  const std::shared_ptr<MemoryPool>& pool() const override { return pool_; }
  std::shared_ptr<KvCache> make_kv_cache(KvCacheSpec spec) override {
    return std::make_shared<CudaKvCache>(std::move(spec), device_, pool_);
  }
  std::optional<moa::DeviceMemory> device_memory() const override {
    DeviceMemory memory;
    device_->check(api().memory(device_->context(), &memory));
    return moa::DeviceMemory{memory.free_bytes, memory.total_bytes, memory.pool_reserved_bytes,
                             memory.pool_used_bytes};
  }

  void give_back_memory() override {
    api().bind_thread(device_->context());
    api().drop_scratch(device_->context());
    api().trim(device_->context());  // a failure is ignored: a lost device has nothing to give back
  }

  std::vector<std::string> substitutions() const override {
    std::istringstream lines(api().substitutions(device_->context()));
    std::vector<std::string> sentences;
    for (std::string line; std::getline(lines, line);) sentences.push_back(line);
    return sentences;
  }

  void start_stream_thread() override { api().bind_thread(device_->context()); }
  void upload(const void* data, DType from, const TensorRef& out) override {
    device_->check(api().upload(device_->context(), data, from, &out));
  }
  void download(const TensorRef& x, void* out) override {
    device_->check(api().download(device_->context(), &x, out));
  }
  void synchronize() override { device_->check(api().synchronize(device_->context())); }
  void timer_start() override { device_->check(api().timer_start(device_->context())); }
  double timer_stop_ms() override {
    float milliseconds = 0;
    device_->check(api().timer_stop(device_->context(), &milliseconds));
    return milliseconds;
  }

  void capture_begin() override {
    device_->check(api().capture_begin(device_->context()));
    recording_ = ++recordings_;
    effects_.clear();
  }
  std::unique_ptr<CommandGraph> capture_end() override {
    recording_ = 0;
    Graph* graph = nullptr;
    device_->check(api().capture_end(device_->context(), &graph));
    return std::make_unique<CudaGraph>(device_, scratch_, graph, std::exchange(effects_, {}));
  }
  void capture_abandon() override {
    if (recording_ == 0) return;
    recording_ = 0;
    effects_.clear();
    api().capture_end(device_->context(), nullptr);
  }

#define MOA_CALL_OP(method, Params)                            \
  void method(const Params& params) override {                 \
    device_->check(api().method(device_->context(), &params)); \
  }
  MOA_FOR_EACH_CUDA_OP(MOA_CALL_OP)
#undef MOA_CALL_OP

  void attention_prefill(const AttentionPrefillParams& params) override {
    const CacheView* view = nullptr;
    if (params.cache != nullptr) {
      CudaKvCache& cache = cuda_cache(params.cache);
      for (const Segment& segment : params.segments)
        cache.expect_stored(segment.sequence, params.layer, segment.first_position);
      view = &cache.view();
    }
    device_->check(api().attention_prefill(device_->context(), &params, view));
  }
  void cache_append(const CacheAppendParams& params) override {
    CudaKvCache& cache = cuda_cache(params.cache);
    for (const Segment& segment : params.segments) {
      cache.reserve(segment.sequence, params.layer, segment.first_position, segment.row_count);
    }
    device_->check(api().cache_append(device_->context(), &params, &cache.view()));
  }
  void decode_append(const DecodeAppendParams& params) override {
    CudaKvCache& cache = cuda_cache(params.cache);
    host_effect([params, &cache] {
      for (const int32_t sequence : params.sequences)
        cache.reserve(sequence, params.layer, cache.length(sequence), 1);
      cache.view();
    });
    device_->check(api().decode_append(device_->context(), &params, &cache.view()));
  }
  void attention_decode(const AttentionDecodeParams& params) override {
    CudaKvCache& cache = cuda_cache(params.cache);
    host_effect([params, &cache] {
      for (const int32_t sequence : params.sequences)
        cache.expect_stored(sequence, params.layer, cache.length(sequence) + 1);
    });
    cache.plan_decode(params.sequences, recording_);
    device_->check(api().attention_decode(device_->context(), &params, &cache.view()));
  }

 private:
  const Api& api() const {
    return device_->api();
  }

  /// Runs `effect` now, and again at each replay of the recording in progress. What `effect` refers
  /// to lives as long as the graph (see binding/recording.h).
  template <class F>
  void host_effect(F&& effect) {
    effect();
    if (recording_ != 0) effects_.push_back(std::forward<F>(effect));
  }

  std::shared_ptr<CudaDevice> device_;
  std::shared_ptr<MemoryPool> pool_;
  std::shared_ptr<ScratchAccount> scratch_;
  // `recording_` is the number of the recording in progress, or 0; `recordings_` counts them.
  uint64_t recordings_ = 0, recording_ = 0;
  CudaGraph::HostEffects effects_;
};

}  // namespace

std::unique_ptr<Backend> make_cuda_backend(const std::string& library, int device) {
  return std::make_unique<CudaBackend>(load_library(library), device);
}

}  // namespace moa::cuda
