#pragma once
#include <napi.h>

#include <memory>
#include <string>
#include <vector>

#include "binding/session.h"
#include "moa/ops.h"

namespace moa::binding {

/// What an enqueued op must keep alive until it has run.
using KeepAlive = std::vector<std::shared_ptr<void>>;

/// Reads one op's params object field by field; each reader throws Error naming `op.field`.
class ParamsReader {
 public:
  ParamsReader(const char* op, Napi::Value params, const Session& session);

  TensorRef tensor(const char* field);
  TensorRef optional_tensor(const char* field);  // empty when undefined
  KvCache* cache(const char* field);
  KvCache* optional_cache(const char* field);  // null when undefined
  float number(const char* field);
  float optional_number(const char* field, float otherwise);
  int32_t integer(const char* field);
  uint64_t seed(const char* field);
  bool boolean(const char* field);
  bool optional_boolean(const char* field, bool otherwise);
  View<int32_t> integers(const char* field);
  View<Segment> segments(const char* field);

  KeepAlive take_keep_alive() { return std::move(keep_alive_); }

 private:
  Napi::Value get(const char* field) const;
  std::string name(const char* field) const { return std::string(op_) + "." + field; }
  TensorRef to_tensor(const char* field, Napi::Value value);
  KvCache* to_cache(const char* field, Napi::Value value);

  const char* op_;
  Napi::Env env_;
  napi_value params_;
  const Session& session_;
  KeepAlive keep_alive_;
};

}  // namespace moa::binding
