// Checks of the ops that work row by row on dense tensors: GEMM, embedding, norms, activations,
// losses.
#include <cmath>
#include <limits>

#include "ops/op_checker.h"
#include "ops/validate.h"

namespace moa {

void validate_gemm(const GemmParams& p, const DeviceTraits& traits) {
  const OpChecker check("gemm", traits);
  Dim m{"M"}, n{"N"}, k{"K"};
  check.tensor("a", p.a, Role::kActivation, {&m, &k});
  if (p.transpose_b) {
    check.tensor("b", p.b, Role::kWeight, {&n, &k});
  } else {
    check.tensor("b", p.b, Role::kWeight, {&k, &n});
  }
  check.tensor("out", p.out, Role::kActivation, {&m, &n});
  check.apart("out", p.out, "a", p.a);
  check.apart("out", p.out, "b", p.b);
  if (p.bias) {
    check.tensor("bias", p.bias, Role::kWeight, {&n});
    check.apart("out", p.out, "bias", p.bias);
  }
}

void validate_embedding(const EmbeddingParams& p, const DeviceTraits& traits) {
  const OpChecker check("embedding", traits);
  Dim t{"T"}, v{"V"}, c{"C"};
  check.tensor("ids", p.ids, Role::kI32, {&t});
  check.tensor("table", p.table, Role::kWeight, {&v, &c});
  check.tensor("out", p.out, Role::kActivation, {&t, &c});
  check.apart("out", p.out, "table", p.table);
  check.apart("out", p.out, "ids", p.ids);
}

namespace {

/// `x` must be [T, C] or [T, H, D], and `weight` as long as its last dimension.
void check_normalized(const OpChecker& check, const TensorRef& x, const TensorRef& weight) {
  Dim t{"T"}, h{"H"}, c{"C"}, d{"D"};
  if (x.ndim == 3) {
    check.tensor("x", x, Role::kActivation, {&t, &h, &d});
    check.tensor("weight", weight, Role::kWeight, {&d});
  } else {
    check.tensor("x", x, Role::kActivation, {&t, &c});
    check.tensor("weight", weight, Role::kWeight, {&c});
  }
}

}  // namespace

void validate_rms_norm(const RmsNormParams& p, const DeviceTraits& traits) {
  const OpChecker check("rmsNorm", traits);
  check_normalized(check, p.x, p.weight);
  check.dtype("out", p.out, Role::kActivation);
  check.same_shape("out", p.out, "x", p.x);
  check.apart_or_same("out", p.out, "x", p.x);
  check.apart("out", p.out, "weight", p.weight);
  check.not_negative("epsilon", p.epsilon);
  if (!p.residual) return;
  check.dtype("residual", p.residual, Role::kActivation);
  check.same_shape("residual", p.residual, "x", p.x);
  check.apart("residual", p.residual, "x", p.x);
  check.apart("residual", p.residual, "out", p.out);
  check.apart("residual", p.residual, "weight", p.weight);
}

void validate_rms_norm_backward(const RmsNormBackwardParams& p, const DeviceTraits& traits) {
  const OpChecker check("rmsNormBackward", traits);
  check_normalized(check, p.x, p.weight);
  check.dtype("gradOut", p.grad_out, Role::kActivation);
  check.same_shape("gradOut", p.grad_out, "x", p.x);
  check.dtype("gradX", p.grad_x, Role::kActivation);
  check.same_shape("gradX", p.grad_x, "x", p.x);
  check.apart_or_same("gradX", p.grad_x, "gradOut", p.grad_out);
  check.apart("gradX", p.grad_x, "x", p.x);
  check.apart("gradX", p.grad_x, "weight", p.weight);
  check.not_negative("epsilon", p.epsilon);
}

void validate_silu_mul(const SiluMulParams& p, const DeviceTraits& traits) {
  const OpChecker check("siluMul", traits);
  Dim t{"T"}, f{"F"};
  check.tensor("out", p.out, Role::kActivation, {&t, &f});
  Dim both{"2F", 2 * f.value};
  check.tensor("gateUp", p.gate_up, Role::kActivation, {&t, &both});
  check.apart("out", p.out, "gateUp", p.gate_up);
}

void validate_silu_mul_backward(const SiluMulBackwardParams& p, const DeviceTraits& traits) {
  const OpChecker check("siluMulBackward", traits);
  Dim t{"T"}, f{"F"};
  check.tensor("gradOut", p.grad_out, Role::kActivation, {&t, &f});
  Dim both{"2F", 2 * f.value};
  check.tensor("gateUp", p.gate_up, Role::kActivation, {&t, &both});
  check.tensor("gradGateUp", p.grad_gate_up, Role::kActivation, {&t, &both});
  check.apart("gradGateUp", p.grad_gate_up, "gateUp", p.gate_up);
  check.apart("gradGateUp", p.grad_gate_up, "gradOut", p.grad_out);
}

void validate_add(const AddParams& p, const DeviceTraits& traits) {
  const OpChecker check("add", traits);
  check.dtype("x", p.x, Role::kActivation);
  check.dtype("y", p.y, Role::kActivation);
  check.same_shape("y", p.y, "x", p.x);
  check.apart_or_same("x", p.x, "y", p.y);
}

void validate_copy(const CopyParams& p, const DeviceTraits& traits) {
  const OpChecker check("copy", traits);
  check.dtype("x", p.x, Role::kActivation);
  check.dtype("out", p.out, Role::kActivation);
  check.same_shape("out", p.out, "x", p.x);
  check.apart("out", p.out, "x", p.x);
}

void validate_fill(const FillParams& p, const DeviceTraits& traits) {
  const OpChecker check("fill", traits);
  if (p.out.dtype != DType::kI32) return;
  // 2^31 is the first f32 past int32, and every f32 from 2^24 on is an integer.
  if (p.value >= -2147483648.0f && p.value < 2147483648.0f && p.value == std::floor(p.value))
    return;
  check.fail("a 32-bit integer", "value", std::to_string(p.value));
}

void validate_fill_uniform(const FillUniformParams& p, const DeviceTraits& traits) {
  const OpChecker check("fillUniform", traits);
  check.dtype("out", p.out, Role::kWeight);
  check.not_negative("deviation", p.deviation);
}

void validate_argmax(const ArgmaxParams& p, const DeviceTraits& traits) {
  const OpChecker check("argmax", traits);
  Dim b{"B"}, v{"V"};
  check.tensor("logits", p.logits, Role::kActivation, {&b, &v});
  check.tensor("out", p.out, Role::kI32, {&b});
  check.apart("out", p.out, "logits", p.logits);
}

void validate_log_softmax(const LogSoftmaxParams& p, const DeviceTraits& traits) {
  const OpChecker check("logSoftmax", traits);
  Dim t{"T"}, v{"V"};
  check.tensor("logits", p.logits, Role::kActivation, {&t, &v});
  check.tensor("out", p.out, Role::kActivation, {&t, &v});
  check.apart("out", p.out, "logits", p.logits);
}

void validate_cross_entropy(const CrossEntropyParams& p, const DeviceTraits& traits) {
  const OpChecker check("crossEntropy", traits);
  Dim t{"T"}, v{"V"};
  check.tensor("logits", p.logits, Role::kActivation, {&t, &v});
  check.tensor("targets", p.targets, Role::kI32, {&t});
  check.tensor("losses", p.losses, Role::kF32, {&t});
  check.apart("losses", p.losses, "logits", p.logits);
  check.apart("losses", p.losses, "targets", p.targets);
  check.finite("gradScale", p.grad_scale);
  if (!p.grad_logits) return;
  check.tensor("gradLogits", p.grad_logits, Role::kActivation, {&t, &v});
  check.apart_or_same("gradLogits", p.grad_logits, "logits", p.logits);
  check.apart("gradLogits", p.grad_logits, "losses", p.losses);
  check.apart("gradLogits", p.grad_logits, "targets", p.targets);
}

}  // namespace moa
