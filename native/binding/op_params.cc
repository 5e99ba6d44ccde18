#include "binding/op_params.h"

namespace moa::binding {

GemmParams read_gemm(ParamsReader& reader) {
  GemmParams p;
  p.a = reader.tensor("a");
  p.b = reader.tensor("b");
  p.out = reader.tensor("out");
  p.bias = reader.optional_tensor("bias");
  p.transpose_b = reader.boolean("transposeB");
  p.accumulate = reader.optional_boolean("accumulate", false);
  return p;
}

EmbeddingParams read_embedding(ParamsReader& reader) {
  EmbeddingParams p;
  p.ids = reader.tensor("ids");
  p.table = reader.tensor("table");
  p.out = reader.tensor("out");
  return p;
}

RmsNormParams read_rms_norm(ParamsReader& reader) {
  RmsNormParams p;
  p.x = reader.tensor("x");
  p.weight = reader.tensor("weight");
  p.out = reader.tensor("out");
  p.residual = reader.optional_tensor("residual");
  p.epsilon = reader.number("epsilon");
  return p;
}

RmsNormBackwardParams read_rms_norm_backward(ParamsReader& reader) {
  RmsNormBackwardParams p;
  p.x = reader.tensor("x");
  p.weight = reader.tensor("weight");
  p.grad_out = reader.tensor("gradOut");
  p.grad_x = reader.tensor("gradX");
  p.epsilon = reader.number("epsilon");
  p.accumulate = reader.optional_boolean("accumulate", false);
  return p;
}

RopeParams read_rope(ParamsReader& reader) {
  RopeParams p;
  p.q = reader.tensor("q");
  p.k = reader.tensor("k");
  p.inverse_frequencies = reader.tensor("inverseFrequencies");
  p.segments = reader.segments("segments");
  p.scale = reader.number("scale");
  p.inverse = reader.optional_boolean("inverse", false);
  return p;
}

SiluMulParams read_silu_mul(ParamsReader& reader) {
  SiluMulParams p;
  p.gate_up = reader.tensor("gateUp");
  p.out = reader.tensor("out");
  return p;
}

SiluMulBackwardParams read_silu_mul_backward(ParamsReader& reader) {
  SiluMulBackwardParams p;
  p.gate_up = reader.tensor("gateUp");
  p.grad_out = reader.tensor("gradOut");
  p.grad_gate_up = reader.tensor("gradGateUp");
  return p;
}

AddParams read_add(ParamsReader& reader) {
  AddParams p;
  p.x = reader.tensor("x");
  p.y = reader.tensor("y");
  return p;
}

CopyParams read_copy(ParamsReader& reader) {
  CopyParams p;
  p.x = reader.tensor("x");
  p.out = reader.tensor("out");
  return p;
}

FillParams read_fill(ParamsReader& reader) {
  FillParams p;
  p.out = reader.tensor("out");
  p.value = reader.number("value");
  return p;
}

FillUniformParams read_fill_uniform(ParamsReader& reader) {
  FillUniformParams p;
  p.out = reader.tensor("out");
  p.seed = reader.seed("seed");
  p.deviation = reader.number("deviation");
  return p;
}

RowsParams read_gather_rows(ParamsReader& reader) {
  RowsParams p;
  p.x = reader.tensor("x");
  p.out = reader.tensor("out");
  p.rows = reader.integers("rows");
  return p;
}

RowsParams read_scatter_rows(ParamsReader& reader) {
  return read_gather_rows(reader);
}

AttentionPrefillParams read_attention_prefill(ParamsReader& reader) {
  AttentionPrefillParams p;
  p.q = reader.tensor("q");
  p.k = reader.tensor("k");
  p.v = reader.tensor("v");
  p.out = reader.tensor("out");
  p.log_sum_exp = reader.optional_tensor("logSumExp");
  p.segments = reader.segments("segments");
  p.scale = reader.number("scale");
  p.cache = reader.optional_cache("cache");
  if (p.cache != nullptr) p.layer = reader.integer("layer");
  return p;
}

CacheAppendParams read_cache_append(ParamsReader& reader) {
  CacheAppendParams p;
  p.cache = reader.cache("cache");
  p.layer = reader.integer("layer");
  p.k = reader.tensor("k");
  p.v = reader.tensor("v");
  p.segments = reader.segments("segments");
  return p;
}

DecodeAppendParams read_decode_append(ParamsReader& reader) {
  DecodeAppendParams p;
  p.cache = reader.cache("cache");
  p.layer = reader.integer("layer");
  p.q = reader.tensor("q");
  p.k = reader.tensor("k");
  p.v = reader.tensor("v");
  p.inverse_frequencies = reader.tensor("inverseFrequencies");
  p.sequences = reader.integers("sequences");
  p.scale = reader.number("scale");
  return p;
}

AttentionDecodeParams read_attention_decode(ParamsReader& reader) {
  AttentionDecodeParams p;
  p.cache = reader.cache("cache");
  p.layer = reader.integer("layer");
  p.q = reader.tensor("q");
  p.out = reader.tensor("out");
  p.sequences = reader.integers("sequences");
  p.scale = reader.number("scale");
  return p;
}

CacheAdvanceParams read_cache_advance(ParamsReader& reader) {
  CacheAdvanceParams p;
  p.cache = reader.cache("cache");
  p.sequences = reader.integers("sequences");
  p.counts = reader.integers("counts");
  return p;
}

ArgmaxParams read_argmax(ParamsReader& reader) {
  ArgmaxParams p;
  p.logits = reader.tensor("logits");
  p.out = reader.tensor("out");
  return p;
}

LogSoftmaxParams read_log_softmax(ParamsReader& reader) {
  LogSoftmaxParams p;
  p.logits = reader.tensor("logits");
  p.out = reader.tensor("out");
  return p;
}

CrossEntropyParams read_cross_entropy(ParamsReader& reader) {
  CrossEntropyParams p;
  p.logits = reader.tensor("logits");
  p.targets = reader.tensor("targets");
  p.losses = reader.tensor("losses");
  p.grad_logits = reader.optional_tensor("gradLogits");
  p.grad_scale = reader.optional_number("gradScale", 1.0f);
  return p;
}

AttentionBackwardParams read_attention_backward(ParamsReader& reader) {
  AttentionBackwardParams p;
  p.q = reader.tensor("q");
  p.k = reader.tensor("k");
  p.v = reader.tensor("v");
  p.out = reader.tensor("out");
  p.log_sum_exp = reader.tensor("logSumExp");
  p.grad_out = reader.tensor("gradOut");
  p.grad_q = reader.tensor("gradQ");
  p.grad_k = reader.tensor("gradK");
  p.grad_v = reader.tensor("gradV");
  p.segments = reader.segments("segments");
  p.scale = reader.number("scale");
  return p;
}

InfluenceParams read_influence(ParamsReader& reader) {
  InfluenceParams p;
  p.q = reader.tensor("q");
  p.k = reader.tensor("k");
  p.v = reader.tensor("v");
  p.out = reader.tensor("out");
  p.log_sum_exp = reader.tensor("logSumExp");
  p.grad_out = reader.tensor("gradOut");
  p.elementwise = reader.tensor("elementwise");
  p.elementwise_sink = reader.tensor("elementwiseSink");
  p.joint = reader.tensor("joint");
  p.segments = reader.segments("segments");
  p.scale = reader.number("scale");
  p.sink = reader.integer("sink");
  p.epsilon = reader.number("epsilon");
  return p;
}

}  // namespace moa::binding
