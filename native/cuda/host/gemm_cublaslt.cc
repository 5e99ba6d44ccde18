#include "cuda/host/gemm_cublaslt.h"

#include <dlfcn.h>
#include <glob.h>
#include <library_types.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <vector>

#include "cuda/host/l2_eviction.h"

namespace moa::cuda {

// Declared here because machines that build this library may have no cublasLt.h. Names and values
// are those of its documentation; they are the same in versions 12 and 13.
struct BlasLtFunctions {
  static constexpr int kSuccess = 0;
  static constexpr int kCompute32F = 68;  // CUBLAS_COMPUTE_32F: no TF32
  static constexpr int kOpTranspose = 1;  // CUBLAS_OP_T; CUBLAS_OP_N is the default
  static constexpr int kDescTransA = 3;   // CUBLASLT_MATMUL_DESC_TRANSA
  // CUBLASLT_MATMUL_PREF_*
  static constexpr int kPrefMaxWorkspaceBytes = 1, kPrefReductionSchemeMask = 3;
  static constexpr int kPrefMinAlignmentA = 5, kPrefMinAlignmentB = 6, kPrefMinAlignmentC = 7,
                       kPrefMinAlignmentD = 8;
  static constexpr uint32_t kReductionComputeType = 2;  // CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE

  struct Algorithm {
    uint64_t data[8];
  };
  struct Heuristic {
    Algorithm algorithm;
    size_t workspace_bytes;
    int state;
    float waves;
    int reserved[4];
  };

  int (*create)(void** handle);
  int (*destroy)(void* handle);
  size_t (*get_version)();
  int (*desc_create)(void** desc, int compute_type, int scale_type);
  int (*desc_destroy)(void* desc);
  int (*desc_set)(void* desc, int attribute, const void* value, size_t bytes);
  int (*layout_create)(void** layout, int type, uint64_t rows, uint64_t columns, int64_t stride);
  int (*layout_destroy)(void* layout);
  int (*preference_create)(void** preference);
  int (*preference_destroy)(void* preference);
  int (*preference_set)(void* preference, int attribute, const void* value, size_t bytes);
  int (*get_heuristic)(void* handle, void* desc, void* a, void* b, void* c, void* d,
                       void* preference, int wanted, Heuristic* results, int* found);
  int (*matmul)(void* handle, void* desc, const void* alpha, const void* a, void* a_layout,
                const void* b, void* b_layout, const void* beta, const void* c, void* c_layout,
                void* d, void* d_layout, const Algorithm* algorithm, void* workspace,
                size_t workspace_bytes, cudaStream_t stream);
};

static_assert(sizeof(BlasLtFunctions::Heuristic) == 96,
              "the layout of cublasLtMatmulHeuristicResult_t");

using Lt = BlasLtFunctions;

/// One product in cuBLASLt's terms. cuBLASLt is column-major: our row-major out = a . b is its
/// out^T = b^T . a^T, with the same memory and strides. So its first operand is our b, and the rows
/// of its matrices are our columns.
struct BlasLtPlan {
  BlasLtPlan(const BlasLtFunctions& functions, const BlasLtKey& key);
  ~BlasLtPlan();
  BlasLtPlan(const BlasLtPlan&) = delete;

  const BlasLtFunctions& lt;
  void* desc = nullptr;
  void* first = nullptr;   // b
  void* second = nullptr;  // a
  void* result = nullptr;  // out
  bool usable = false, chosen = false;
  Lt::Heuristic choice{};
};

namespace {

// The cuBLAS documentation (cublasSetWorkspace) recommends 32 MiB for Hopper.
constexpr int64_t kWorkspaceBytes = int64_t{32} << 20;
constexpr int kCandidates = 8;
// A candidate's time is the median of a few rounds. Slow products get fewer rounds, because every
// shape pays for its timing once.
constexpr int kTimedRounds = 5;
constexpr float kTimedMilliseconds = 10;
// A product with less work than this takes less time than its launch.
constexpr double kMinTimedWork = 1 << 22;
// Shapes with few rows (decode steps) and whole chunks come again and again. The odd length of a
// prompt does not, so timing it would cost more than it gains.
constexpr int64_t kMaxTimedRows = 512, kTimedRowMultiple = 256;
// Timing an accumulating product writes to scratch memory, so that it does not add to `out` more
// than once. When that would need more than this, the first heuristic is taken untimed.
constexpr int64_t kMaxTimedScratchBytes = int64_t{64} << 20;
// A candidate must be faster than the first heuristic by this factor, so that noise does not choose
// another order of summation.
constexpr float kMinGain = 0.98f;

void check_lt(int status, const char* call) {
  if (status == Lt::kSuccess) return;
  // 3 is CUBLAS_STATUS_ALLOC_FAILED.
  const ErrorCode code = status == 3 ? ErrorCode::kOutOfMemory : ErrorCode::kInternal;
  throw Error(code, std::string(call) + " failed with cublasStatus_t " + std::to_string(status));
}

cudaDataType cuda_type(DType dtype) {
  return dtype == DType::kF16 ? CUDA_R_16F : dtype == DType::kBF16 ? CUDA_R_16BF : CUDA_R_32F;
}

/// Alignment in bytes: 256 (what allocators give), 16 (what vectorized access needs), or the size
/// of an element. There are few values, so that few keys are timed.
int32_t alignment_of(const TensorRef& x) {
  const auto address = reinterpret_cast<uintptr_t>(x.data);
  return address % 256 == 0  ? 256
         : address % 16 == 0 ? 16
                             : static_cast<int32_t>(bytes_per_element(x.dtype));
}

/// Elements between rows. A single row may have any stride, so it gets one that does not break
/// alignment.
int64_t stride_of(const TensorRef& x) {
  return x.rows() > 1 ? x.row_stride : (x.row_size() + 7) / 8 * 8;
}

BlasLtKey key_of(const GemmParams& params) {
  BlasLtKey key;
  key.m = params.a.rows();
  key.k = params.a.row_size();
  key.n = params.out.row_size();
  key.a_stride = stride_of(params.a);
  key.b_stride = stride_of(params.b);
  key.out_stride = stride_of(params.out);
  key.a_alignment = alignment_of(params.a);
  key.b_alignment = alignment_of(params.b);
  key.out_alignment = alignment_of(params.out);
  key.dtype = params.a.dtype;
  key.out_dtype = params.out.dtype;
  key.transpose_b = params.transpose_b;
  key.accumulate = params.accumulate;
  return key;
}

bool takes(const GemmParams& params) {
  const DType dtype = params.a.dtype;
  return params.b.dtype == dtype &&
         (params.out.dtype == dtype || params.out.dtype == DType::kF32) && params.a.row_size() > 0;
}

std::vector<std::string> matches(const std::string& pattern) {
  std::vector<std::string> paths;
  glob_t found{};
  if (glob(pattern.c_str(), 0, nullptr, &found) == 0)
    paths.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  globfree(&found);
  return paths;
}

/// Paths to try: first the bare name, which the loader searches, then the places where toolkits and
/// Python packages put the library.
std::vector<std::string> candidates(const std::string& file) {
  std::vector<std::string> paths{file};
  std::vector<std::string> folders;
  const auto add_under = [&](const char* variable, const std::string& folder) {
    const char* root = std::getenv(variable);
    if (root != nullptr && *root != '\0') folders.push_back(root + folder);
  };
  const std::string packages = "/lib/python3*/*-packages/nvidia/*/lib";
  add_under("CUDA_HOME", "/lib64");
  add_under("CUDA_PATH", "/lib64");
  folders.emplace_back("/usr/local/cuda/lib64");
  folders.emplace_back("/usr/local/cuda-*/lib64");
  add_under("VIRTUAL_ENV", packages);
  add_under("CONDA_PREFIX", "/lib");
  add_under("CONDA_PREFIX", packages);
  for (const char* root : {"/opt/*/.venv", "/opt/*", "/usr/local", "/usr"})
    folders.push_back(root + packages);
  for (const std::string& folder : folders) {
    for (std::string& path : matches(folder + "/" + file)) paths.push_back(std::move(path));
  }
  return paths;
}

/// Opens cuBLASLt. Returns null and sets `reason` when that fails. If MOABENCH_CUBLASLT is set,
/// only the library that it names is tried.
void* open_library(std::string& reason) {
  const char* named = std::getenv("MOABENCH_CUBLASLT");
  if (named != nullptr && *named != '\0') {
    void* library = dlopen(named, RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr)
      reason = std::string("cuBLASLt named by MOABENCH_CUBLASLT did not load: ") + dlerror();
    return library;
  }
  std::string problem;
  for (const char* file : {"libcublasLt.so.13", "libcublasLt.so.12"}) {
    for (const std::string& path : candidates(file)) {
      void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
      if (library != nullptr) return library;
      // The file exists but does not load, which the user should know.
      if (path != file) problem = std::string(": ") + dlerror();
    }
  }
  reason =
      "no cuBLASLt (libcublasLt.so.13 or .12): put it where the loader looks or set "
      "MOABENCH_CUBLASLT" +
      problem;
  return nullptr;
}

std::unique_ptr<BlasLtFunctions> load_functions(std::string& reason) {
  void* library = open_library(reason);
  if (library == nullptr) return nullptr;
  auto lt = std::make_unique<BlasLtFunctions>();
  bool complete = true;
  const auto load = [&](auto& function, const char* name) {
    function = reinterpret_cast<std::decay_t<decltype(function)>>(dlsym(library, name));
    if (function != nullptr || !complete) return;
    complete = false;
    reason = std::string("cuBLASLt has no ") + name;
  };
  load(lt->create, "cublasLtCreate");
  load(lt->destroy, "cublasLtDestroy");
  load(lt->get_version, "cublasLtGetVersion");
  load(lt->desc_create, "cublasLtMatmulDescCreate");
  load(lt->desc_destroy, "cublasLtMatmulDescDestroy");
  load(lt->desc_set, "cublasLtMatmulDescSetAttribute");
  load(lt->layout_create, "cublasLtMatrixLayoutCreate");
  load(lt->layout_destroy, "cublasLtMatrixLayoutDestroy");
  load(lt->preference_create, "cublasLtMatmulPreferenceCreate");
  load(lt->preference_destroy, "cublasLtMatmulPreferenceDestroy");
  load(lt->preference_set, "cublasLtMatmulPreferenceSetAttribute");
  load(lt->get_heuristic, "cublasLtMatmulAlgoGetHeuristic");
  load(lt->matmul, "cublasLtMatmul");
  return complete ? std::move(lt) : nullptr;
}

/// The algorithms that fit, in the order of cuBLASLt's own estimate. Empty when it does not support
/// the operands.
std::vector<Lt::Heuristic> heuristics(const Lt& lt, void* handle, const BlasLtPlan& plan,
                                      const BlasLtKey& key) {
  void* preference = nullptr;
  check_lt(lt.preference_create(&preference), "cublasLtMatmulPreferenceCreate");
  int failed = 0;
  const auto set = [&](int attribute, auto value) {
    failed |= lt.preference_set(preference, attribute, &value, sizeof value);
  };
  set(Lt::kPrefMaxWorkspaceBytes, uint64_t{kWorkspaceBytes});
  // The parts of a split sum are added in float32.
  set(Lt::kPrefReductionSchemeMask, Lt::kReductionComputeType);
  set(Lt::kPrefMinAlignmentA, static_cast<uint32_t>(key.b_alignment));
  set(Lt::kPrefMinAlignmentB, static_cast<uint32_t>(key.a_alignment));
  set(Lt::kPrefMinAlignmentC, static_cast<uint32_t>(key.out_alignment));
  set(Lt::kPrefMinAlignmentD, static_cast<uint32_t>(key.out_alignment));
  std::vector<Lt::Heuristic> results(kCandidates);
  int found = 0;
  const int status =
      failed != 0 ? failed
                  : lt.get_heuristic(handle, plan.desc, plan.first, plan.second, plan.result,
                                     plan.result, preference, kCandidates, results.data(), &found);
  lt.preference_destroy(preference);
  check_lt(failed, "cublasLtMatmulPreferenceSetAttribute");
  if (status != Lt::kSuccess) found = 0;
  results.resize(static_cast<size_t>(found));
  std::erase_if(results, [](const Lt::Heuristic& result) { return result.state != Lt::kSuccess; });
  return results;
}

/// Runs the product with `choice` into `out`; when accumulating, adds to what `out` holds.
int run(Context& context, const Lt& lt, void* handle, const BlasLtPlan& plan,
        const Lt::Heuristic& choice, const GemmParams& params, void* out) {
  const float alpha = 1, beta = params.accumulate ? 1 : 0;
  void* workspace = choice.workspace_bytes > 0
                        ? context.scratch(Scratch::kBlasWorkspace, kWorkspaceBytes)
                        : nullptr;
  return lt.matmul(handle, plan.desc, &alpha, params.b.data, plan.first, params.a.data, plan.second,
                   &beta, out, plan.result, out, plan.result, &choice.algorithm, workspace,
                   workspace == nullptr ? 0 : static_cast<size_t>(kWorkspaceBytes), context.stream);
}

bool worth_timing(const BlasLtKey& key) {
  const double work =
      static_cast<double>(key.m) * static_cast<double>(key.n) * static_cast<double>(key.k);
  return work >= kMinTimedWork && (key.m <= kMaxTimedRows || key.m % kTimedRowMultiple == 0);
}

struct Event {
  Event() { MOA_CUDA_CHECK(cudaEventCreate(&event)); }
  ~Event() { cudaEventDestroy(event); }
  Event(const Event&) = delete;
  cudaEvent_t event = nullptr;
};

float milliseconds_between(const Event& begin, const Event& end) {
  MOA_CUDA_CHECK(cudaEventSynchronize(end.event));
  float milliseconds = 0;
  MOA_CUDA_CHECK(cudaEventElapsedTime(&milliseconds, begin.event, end.event));
  return milliseconds;
}

struct TimedCandidate {
  Lt::Heuristic heuristic;
  Event begin, end;                 // of the last round
  std::vector<float> milliseconds;  // of each round
  float median() const {
    std::vector<float> sorted = milliseconds;
    std::sort(sorted.begin(), sorted.end());
    return sorted[sorted.size() / 2];
  }
};

/// Times the candidates in rounds, one run of each per round, so that a change of the device over
/// time affects all of them. L2 holds none of the operands before a run. A round before the first
/// one loads the kernels and removes candidates that fail.
void time_rounds(const Context& context, const L2Eviction& eviction,
                 std::vector<std::unique_ptr<TimedCandidate>>& candidates, auto&& run_once) {
  std::erase_if(candidates, [&](const std::unique_ptr<TimedCandidate>& candidate) {
    return run_once(candidate->heuristic) != Lt::kSuccess;
  });
  float spent = 0;
  for (int i = 0; i < kTimedRounds && spent * (i + 1) <= kTimedMilliseconds * i; ++i) {
    for (const std::unique_ptr<TimedCandidate>& candidate : candidates) {
      eviction.run(context);  // also gives the host time to enqueue the rest
      MOA_CUDA_CHECK(cudaEventRecord(candidate->begin.event, context.stream));
      check_lt(run_once(candidate->heuristic), "cublasLtMatmul");
      MOA_CUDA_CHECK(cudaEventRecord(candidate->end.event, context.stream));
    }
    for (const std::unique_ptr<TimedCandidate>& candidate : candidates) {
      candidate->milliseconds.push_back(milliseconds_between(candidate->begin, candidate->end));
      spent += candidate->milliseconds.back();
    }
  }
}

/// Times all candidates on the operands themselves and returns the fastest. The timing does not
/// change what `out` holds after the product that follows.
Lt::Heuristic fastest(Context& context, const Lt& lt, void* handle, const BlasLtPlan& plan,
                      const GemmParams& params, const BlasLtKey& key,
                      const std::vector<Lt::Heuristic>& found) {
  void* out = params.out.data;
  if (params.accumulate) {
    const int64_t bytes =
        key.m * key.out_stride * static_cast<int64_t>(bytes_per_element(key.out_dtype));
    if (bytes > kMaxTimedScratchBytes) return found[0];
    out = context.scratch(Scratch::kConvert, bytes);
  }
  const std::unique_ptr<L2Eviction> eviction = L2Eviction::if_fits(context);
  if (eviction == nullptr) return found[0];
  std::vector<std::unique_ptr<TimedCandidate>> candidates;
  for (const Lt::Heuristic& heuristic : found)
    candidates.push_back(std::make_unique<TimedCandidate>(heuristic));
  time_rounds(context, *eviction, candidates, [&](const Lt::Heuristic& choice) {
    return run(context, lt, handle, plan, choice, params, out);
  });
  if (candidates.empty()) return found[0];
  const TimedCandidate* best = candidates.front().get();  // the first choice of cuBLASLt
  float limit = best->median() * kMinGain;
  for (const std::unique_ptr<TimedCandidate>& candidate : candidates) {
    if (candidate->median() >= limit) continue;
    best = candidate.get();
    limit = best->median();
  }
  return best->heuristic;
}

}  // namespace

BlasLtPlan::BlasLtPlan(const BlasLtFunctions& functions, const BlasLtKey& key) : lt(functions) {
  const auto layout = [&](void*& made, DType dtype, int64_t rows, int64_t columns, int64_t stride) {
    check_lt(lt.layout_create(&made, cuda_type(dtype), static_cast<uint64_t>(rows),
                              static_cast<uint64_t>(columns), stride),
             "cublasLtMatrixLayoutCreate");
  };
  check_lt(lt.desc_create(&desc, Lt::kCompute32F, CUDA_R_32F), "cublasLtMatmulDescCreate");
  if (key.transpose_b) {
    const int32_t transpose = Lt::kOpTranspose;
    check_lt(lt.desc_set(desc, Lt::kDescTransA, &transpose, sizeof transpose),
             "cublasLtMatmulDescSetAttribute");
    layout(first, key.dtype, key.k, key.n, key.b_stride);
  } else {
    layout(first, key.dtype, key.n, key.k, key.b_stride);
  }
  layout(second, key.dtype, key.k, key.m, key.a_stride);
  layout(result, key.out_dtype, key.n, key.m, key.out_stride);
}

BlasLtPlan::~BlasLtPlan() {
  for (void* layout : {first, second, result}) {
    if (layout != nullptr) lt.layout_destroy(layout);
  }
  if (desc != nullptr) lt.desc_destroy(desc);
}

BlasLt& BlasLt::of(Context& context) {
  if (context.blas == nullptr) context.blas = std::make_shared<BlasLt>();
  return *context.blas;
}

BlasLt::BlasLt() : functions_(load_functions(description_)) {
  if (functions_ == nullptr) return;
  const int status = functions_->create(&handle_);
  if (status != Lt::kSuccess) {
    description_ = "cublasLtCreate failed with cublasStatus_t " + std::to_string(status);
    functions_.reset();
    return;
  }
  const auto version = functions_->get_version();  // 10000 * major + 100 * minor + patch
  description_ = "cuBLASLt " + std::to_string(version / 10000) + "." +
                 std::to_string(version % 10000 / 100) + "." + std::to_string(version % 100);
}

BlasLt::~BlasLt() {
  plans_.clear();
  if (functions_ != nullptr) functions_->destroy(handle_);
}

std::string BlasLt::why_not(const GemmParams& params) const {
  if (functions_ == nullptr) return description_;
  return takes(params) ? description_ + " has no algorithm for these strides and alignments"
                       : description_ + " takes operands of one dtype";
}

BlasLtPlan& BlasLt::plan_of(Context& context, const GemmParams& params, const BlasLtKey& key) {
  std::unique_ptr<BlasLtPlan>& plan = plans_[key];
  if (plan != nullptr && plan->chosen) return *plan;
  if (plan == nullptr) plan = std::make_unique<BlasLtPlan>(*functions_, key);
  const std::vector<Lt::Heuristic> found = heuristics(*functions_, handle_, *plan, key);
  plan->usable = !found.empty();
  const bool timed = found.size() > 1 && worth_timing(key);
  if (plan->usable) {
    plan->choice = timed && !context.capturing
                       ? fastest(context, *functions_, handle_, *plan, params, key, found)
                       : found[0];
  }
  plan->chosen = !timed || !context.capturing;  // what cannot be timed in a capture is timed later
  return *plan;
}

bool BlasLt::matmul(Context& context, const GemmParams& params) {
  if (functions_ == nullptr || !takes(params)) return false;
  const BlasLtPlan& plan = plan_of(context, params, key_of(params));
  if (!plan.usable) return false;
  check_lt(run(context, *functions_, handle_, plan, plan.choice, params, params.out.data),
           "cublasLtMatmul");
  return true;
}

}  // namespace moa::cuda
