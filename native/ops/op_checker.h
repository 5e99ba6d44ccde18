#pragma once
#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "moa/backend.h"
#include "moa/ops.h"

namespace moa {

/// "f16 [3, 32]"
std::string describe(const TensorRef& tensor);

/// A dimension. The first tensor that uses it fixes its value; messages show its name before that
/// and its value afterwards.
struct Dim {
  const char* name;
  int64_t value = -1;
};

/// What a tensor may hold.
enum class Role : uint8_t {
  kActivation,  // f32; f16 and bf16 where the device has them
  kWeight,      // f32, f16, bf16
  kF32,
  kI32,
};

/// Checks of one op's arguments; every message names `op.field`.
class OpChecker {
 public:
  OpChecker(const char* op, const DeviceTraits& traits) : op_(op), traits_(traits) {}

  void tensor(const char* field, const TensorRef& tensor, Role role,
              std::initializer_list<Dim*> shape) const;
  void dtype(const char* field, const TensorRef& tensor, Role role) const;
  void same_shape(const char* field, const TensorRef& tensor, const char* other_field,
                  const TensorRef& other) const;
  /// The two tensors must share no memory.
  void apart(const char* field, const TensorRef& tensor, const char* other_field,
             const TensorRef& other) const;
  /// The two tensors must share no memory, or be exactly the same elements.
  void apart_or_same(const char* field, const TensorRef& tensor, const char* other_field,
                     const TensorRef& other) const;
  void finite(const char* field, double value) const;
  void not_negative(const char* field, double value) const;
  /// low <= value < end.
  void integer_in(const char* field, int64_t value, int64_t low, int64_t end) const;
  /// A multiple of 8 from 8 to 256.
  void head_dim(const char* field, int64_t value) const;
  void heads(int64_t heads, int64_t kv_heads) const;
  /// Segments must be in order of rows, disjoint and within [0, rows); their positions must be in
  /// [0, kMaxTokens).
  void segments(View<Segment> segments, int64_t rows) const;
  void layer(const KvCache& cache, int layer) const;
  void distinct_sequences(const KvCache& cache, View<int32_t> sequences) const;
  /// A `full` cache must have slots for `end` tokens in every head of the layers [first_layer,
  /// end_layer).
  void room(const KvCache& cache, int32_t sequence, int first_layer, int end_layer,
            int64_t end) const;

  std::string name(const char* field) const { return std::string(op_) + "." + field; }
  [[noreturn]] void fail(const std::string& what, const char* field,
                         const std::string& value) const;

 private:
  const char* op_;
  const DeviceTraits& traits_;
};

/// Positions stay below this, so that int32 sums of them cannot overflow.
constexpr int64_t kMaxTokens = int64_t{1} << 30;

}  // namespace moa
