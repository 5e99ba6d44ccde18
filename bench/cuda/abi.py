"""The C ABI of libmoabench_cuda.so in ctypes: mirrors native/include/moa/{tensor,view,ops,cuda_abi}.h.

Field order and types are the headers'; check_layout.py compares sizes and offsets with a C++ compiler.
ctypes makes every field zero, so callers set what has another default in the headers (scale, transpose_b).
"""

from ctypes import (
    CFUNCTYPE,
    POINTER,
    Structure,
    c_bool,
    c_char,
    c_char_p,
    c_float,
    c_int,
    c_int32,
    c_int64,
    c_uint8,
    c_uint32,
    c_uint64,
    c_void_p,
)

ABI_VERSION = 2
ENTRY_POINT = "moabench_cuda_api"
ERROR_CODES = ("INVALID_ARGUMENT", "UNSUPPORTED", "UNAVAILABLE", "OUT_OF_MEMORY", "INTERNAL")


def _struct(name, /, **fields):
    return type(name, (Structure,), {"_fields_": list(fields.items())})


def _tensors(*names):
    return dict.fromkeys(names, TensorRef)


TensorRef = _struct("TensorRef", data=c_void_p, dtype=c_uint8, ndim=c_int, shape=c_int64 * 4, row_stride=c_int64)
Segment = _struct("Segment", row_start=c_int32, row_count=c_int32, first_position=c_int32, sequence=c_int32)
IntView = _struct("IntView", data=c_void_p, count=c_int64)
SegmentView = _struct("SegmentView", data=c_void_p, count=c_int64)

GemmParams = _struct("GemmParams", **_tensors("a", "b", "out", "bias"), transpose_b=c_bool, accumulate=c_bool)
EmbeddingParams = _struct("EmbeddingParams", **_tensors("ids", "table", "out"))
RmsNormParams = _struct("RmsNormParams", **_tensors("x", "weight", "out", "residual"), epsilon=c_float)
RmsNormBackwardParams = _struct(
    "RmsNormBackwardParams",
    **_tensors("x", "weight", "grad_out", "grad_x"),
    epsilon=c_float,
    accumulate=c_bool,
)
RopeParams = _struct(
    "RopeParams",
    **_tensors("q", "k", "inverse_frequencies"),
    segments=SegmentView,
    scale=c_float,
    inverse=c_bool,
)
SiluMulParams = _struct("SiluMulParams", **_tensors("gate_up", "out"))
SiluMulBackwardParams = _struct("SiluMulBackwardParams", **_tensors("gate_up", "grad_out", "grad_gate_up"))
AddParams = _struct("AddParams", **_tensors("x", "y"))
CopyParams = _struct("CopyParams", **_tensors("x", "out"))
FillParams = _struct("FillParams", out=TensorRef, value=c_float)
FillUniformParams = _struct("FillUniformParams", out=TensorRef, seed=c_uint64, deviation=c_float)
RowsParams = _struct("RowsParams", **_tensors("x", "out"), rows=IntView)
AttentionPrefillParams = _struct(
    "AttentionPrefillParams",
    **_tensors("q", "k", "v", "out", "log_sum_exp"),
    segments=SegmentView,
    scale=c_float,
    cache=c_void_p,
    layer=c_int,
)
CacheAppendParams = _struct(
    "CacheAppendParams", cache=c_void_p, layer=c_int, **_tensors("k", "v"), segments=SegmentView
)
DecodeAppendParams = _struct(
    "DecodeAppendParams",
    cache=c_void_p,
    layer=c_int,
    **_tensors("q", "k", "v", "inverse_frequencies"),
    sequences=IntView,
    scale=c_float,
)
AttentionDecodeParams = _struct(
    "AttentionDecodeParams",
    cache=c_void_p,
    layer=c_int,
    **_tensors("q", "out"),
    sequences=IntView,
    scale=c_float,
)
CacheAdvanceParams = _struct("CacheAdvanceParams", cache=c_void_p, sequences=IntView, counts=IntView)
ArgmaxParams = _struct("ArgmaxParams", **_tensors("logits", "out"))
LogSoftmaxParams = _struct("LogSoftmaxParams", **_tensors("logits", "out"))
CrossEntropyParams = _struct(
    "CrossEntropyParams",
    **_tensors("logits", "targets", "losses", "grad_logits"),
    grad_scale=c_float,
)
AttentionBackwardParams = _struct(
    "AttentionBackwardParams",
    **_tensors("q", "k", "v", "out", "log_sum_exp", "grad_out", "grad_q", "grad_k", "grad_v"),
    segments=SegmentView,
    scale=c_float,
)
InfluenceParams = _struct(
    "InfluenceParams",
    **_tensors("q", "k", "v", "out", "log_sum_exp", "grad_out"),
    **_tensors("elementwise", "elementwise_sink", "joint"),
    segments=SegmentView,
    scale=c_float,
    epsilon=c_float,
    sink=c_int,
)

CacheView = _struct(
    "CacheView",
    heads=c_void_p,
    capacities=c_void_p,
    host_capacities=c_void_p,
    lengths=c_void_p,
    plan=c_void_p,
    sequences=c_int32,
    layers=c_int32,
    kv_heads=c_int32,
    head_dim=c_int32,
    sink=c_int32,
    dtype=c_uint8,
    windowed=c_bool,
)
GrowParams = _struct(
    "GrowParams",
    old_heads=c_void_p,
    new_heads=c_void_p,
    kv_heads=c_int32,
    tokens=c_int32,
    old_capacity=c_int32,
    new_capacity=c_int32,
)
DeviceInfo = _struct(
    "DeviceInfo",
    name=c_char * 256,
    device=c_int32,
    sm_major=c_int32,
    sm_minor=c_int32,
    multiprocessors=c_int32,
    driver_version=c_int32,
    runtime_version=c_int32,
    total_bytes=c_int64,
    l2_bytes=c_int64,
    blas=c_char * 256,
)
DeviceMemory = _struct(
    "DeviceMemory",
    free_bytes=c_int64,
    total_bytes=c_int64,
    pool_reserved_bytes=c_int64,
    pool_used_bytes=c_int64,
)
AllocateHook = CFUNCTYPE(c_void_p, c_void_p, c_int64, c_char_p)
ReleaseHook = CFUNCTYPE(None, c_void_p, c_void_p)
MemoryHooks = _struct("MemoryHooks", user=c_void_p, allocate=AllocateHook, release=ReleaseHook)

#: Methods over plain params, then methods over params and a CacheView, in the headers' order.
OPS = {
    "gemm": GemmParams,
    "embedding": EmbeddingParams,
    "rms_norm": RmsNormParams,
    "rms_norm_backward": RmsNormBackwardParams,
    "rope": RopeParams,
    "silu_mul": SiluMulParams,
    "silu_mul_backward": SiluMulBackwardParams,
    "add": AddParams,
    "copy": CopyParams,
    "fill": FillParams,
    "fill_uniform": FillUniformParams,
    "gather_rows": RowsParams,
    "scatter_rows": RowsParams,
    "argmax": ArgmaxParams,
    "log_softmax": LogSoftmaxParams,
    "cross_entropy": CrossEntropyParams,
    "attention_backward": AttentionBackwardParams,
    "influence": InfluenceParams,
}
CACHE_OPS = {
    "attention_prefill": AttentionPrefillParams,
    "cache_append": CacheAppendParams,
    "decode_append": DecodeAppendParams,
    "attention_decode": AttentionDecodeParams,
    "cache_advance": CacheAdvanceParams,
}


def _call(*arguments, returns=c_int32):
    return CFUNCTYPE(returns, *arguments)


_VIEW = POINTER(CacheView)
Api = _struct(
    "Api",
    abi_version=c_uint32,
    last_error=_call(returns=c_char_p),
    device_count=_call(POINTER(c_int32)),
    create=_call(c_int32, POINTER(c_void_p)),
    destroy=_call(c_void_p, returns=None),
    describe=_call(c_void_p, POINTER(DeviceInfo)),
    set_memory_hooks=_call(c_void_p, POINTER(MemoryHooks), returns=None),
    drop_scratch=_call(c_void_p, returns=None),
    bind_thread=_call(c_void_p),
    stream=_call(c_void_p, returns=c_void_p),
    allocate=_call(c_void_p, c_int64, POINTER(c_void_p)),
    release=_call(c_void_p, c_void_p, returns=None),
    memory=_call(c_void_p, POINTER(DeviceMemory)),
    substitutions=_call(c_void_p, returns=c_char_p),
    upload=_call(c_void_p, c_void_p, c_uint8, POINTER(TensorRef)),
    download=_call(c_void_p, POINTER(TensorRef), c_void_p),
    write_bytes=_call(c_void_p, c_void_p, c_int64, c_void_p),
    synchronize=_call(c_void_p),
    capture_begin=_call(c_void_p),
    capture_end=_call(c_void_p, POINTER(c_void_p)),
    graph_launch=_call(c_void_p, c_void_p),
    graph_destroy=_call(c_void_p, c_void_p, returns=None),
    timer_start=_call(c_void_p),
    timer_stop=_call(c_void_p, POINTER(c_float)),
    decode_plan_bytes=_call(c_void_p, c_int32, c_int32, c_int32, returns=c_int64),
    decode_plan=_call(c_void_p, _VIEW, IntView),
    cache_reset=_call(c_void_p, _VIEW, c_int32),
    cache_grow=_call(c_void_p, _VIEW, POINTER(GrowParams)),
    **{name: _call(c_void_p, POINTER(params)) for name, params in OPS.items()},
    **{name: _call(c_void_p, POINTER(params), _VIEW) for name, params in CACHE_OPS.items()},
)
