// Times the GEMM kernels alone and checks them against a product in double precision. Built with:
// g++ -O3 -march=native -fopenmp -std=c++20 -Inative/include -Inative native/bench/gemm_bench.cc
// native/cpu/gemm_*.cc
#include <omp.h>
#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <random>
#include <vector>

#include "cpu/float_convert.h"
#include "cpu/gemm_kernels.h"

namespace {

using moa::DType;
using moa::cpu::GemmArgs;

/// Seconds. With one thread this is processor time, which other processes do not disturb; otherwise
/// it is wall-clock time.
double now() {
  timespec t;
  clock_gettime(omp_get_max_threads() == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

struct Case {
  GemmArgs args;
  std::vector<float> a, b, bias, out;
  std::vector<uint16_t> half;
  Case(int64_t m, int64_t n, int64_t k, bool transpose_b, DType dtype, int64_t pad) {
    std::mt19937 rng(7);
    std::normal_distribution<float> normal;
    a.resize(m * (k + pad)), b.resize(n * k), bias.resize(n), out.resize(m * (n + pad));
    for (auto* x : {&a, &b, &bias, &out}) {
      for (float& v : *x) v = normal(rng);
    }
    half.resize(b.size());
    for (size_t i = 0; i < b.size() && dtype != DType::kF32; ++i) {
      half[i] = dtype == DType::kF16 ? moa::from_float<moa::F16>(b[i]).bits
                                     : moa::from_float<moa::BF16>(b[i]).bits;
      b[i] = dtype == DType::kF16 ? moa::to_float(moa::F16{half[i]})
                                  : moa::to_float(moa::BF16{half[i]});
    }
    const void* stored = dtype == DType::kF32 ? static_cast<const void*>(b.data()) : half.data();
    args = {a.data(), stored, out.data(),  bias.data(), m, n, k, k + pad, transpose_b ? k : n,
            n + pad,  dtype,  transpose_b, true};
  }
};

double error_of(Case& c, void (*gemm)(const GemmArgs&)) {
  const GemmArgs& g = c.args;
  const std::vector<float> before = c.out;
  gemm(g);
  double worst = 0;
  for (int64_t i = 0; i < g.m; ++i) {
    for (int64_t j = 0; j < g.n; ++j) {
      double sum = c.bias[j] + before[i * g.out_stride + j], size = 1;
      for (int64_t k = 0; k < g.k; ++k) {
        const double x = static_cast<double>(g.a[i * g.a_stride + k]) *
                         c.b[g.transpose_b ? j * g.k + k : k * g.n + j];
        sum += x, size += std::abs(x);
      }
      worst = std::max(worst, std::abs(sum - g.out[i * g.out_stride + j]) / size);
    }
  }
  return worst;
}

void time_case(const char* name, void (*gemm)(const GemmArgs&), int64_t m, int64_t n, int64_t k,
               bool transpose_b, DType dtype) {
  Case c(m, n, k, transpose_b, dtype, 0);
  c.args.accumulate = false;
  c.args.bias = nullptr;
  double best = 1e9;
  for (int i = 0; i < 20; ++i) {
    const double start = now();
    gemm(c.args);
    best = std::min(best, now() - start);
  }
  std::printf("%-8s M %5ld N %5ld K %4ld %s dtype %d: %8.3f ms %6.1f GF/s\n", name, m, n, k,
              transpose_b ? "NK" : "KN", static_cast<int>(dtype), best * 1e3,
              2e-9 * m * n * k / best);
}

}  // namespace

int main(int argc, char**) {
  using namespace moa::cpu;
  for (DType dtype : {DType::kF32, DType::kF16, DType::kBF16}) {
    if (argc > 1) break;  // any argument: times only
    for (int64_t m : {1, 2, 3, 5, 6, 7, 13, 97, 200}) {
      for (int64_t n : {1, 7, 16, 33, 130}) {
        for (int64_t k : {1, 7, 8, 33, 400, 801}) {
          for (bool t : {true, false}) {
            Case packed(m, n, k, t, dtype, 3), direct(m, n, k, t, dtype, 3);
            const double e1 = error_of(packed, gemm_packed),
                         e2 = error_of(direct, t ? gemm_dot : gemm_columns);
            if (!(e1 < 1e-6 && e2 < 1e-6))
              std::printf("WRONG %ld %ld %ld t%d d%d: %g %g\n", m, n, k, t, static_cast<int>(dtype),
                          e1, e2);
          }
        }
      }
    }
  }
  constexpr int64_t kShapes[][3] = {{4096, 768, 256}, {4096, 256, 256}, {4096, 1408, 256},
                                    {4096, 256, 704}, {512, 768, 256},  {512, 256, 704}};
  for (const auto& s : kShapes) {
    time_case("packed", gemm_packed, s[0], s[1], s[2], true, DType::kF32);
    time_case("packed", gemm_packed, s[0], s[1], s[2], false, DType::kF32);
    time_case("packed", gemm_packed, s[0], s[1], s[2], true, DType::kF16);
  }
  for (int64_t m : {1, 2, 4, 8, 16, 24, 32, 48, 64}) {
    for (DType dtype : {DType::kF32, DType::kF16, DType::kBF16}) {
      time_case("dot", gemm_dot, m, 1408, 256, true, dtype);
      time_case("packed", gemm_packed, m, 1408, 256, true, dtype);
    }
    time_case("columns", gemm_columns, m, 1408, 256, false, DType::kF32);
    time_case("packed", gemm_packed, m, 1408, 256, false, DType::kF32);
  }
}
