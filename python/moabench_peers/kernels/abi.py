"""The C ABI of libmoabench_cuda.so in ctypes.

The params structs and the lists of ops are read from ops.h and cuda_abi.h. The other structs are written here and must
equal those of native/include/moa/{tensor,view,cuda_abi}.h; check_layout.py compares sizes and offsets with a C++
compiler, in CI too. ctypes sets every field to zero, so callers must set fields with another default in the headers
(scale, transpose_b).
"""

import pathlib
import re
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

INCLUDE = pathlib.Path(__file__).resolve().parents[3] / "native" / "include" / "moa"
ABI_VERSION = 3
ENTRY_POINT = "moabench_cuda_api"
ERROR_CODES = ("INVALID_ARGUMENT", "UNSUPPORTED", "UNAVAILABLE", "OUT_OF_MEMORY", "INTERNAL")


def _struct(name, /, **fields):
    return type(name, (Structure,), {"_fields_": list(fields.items())})


TensorRef = _struct("TensorRef", data=c_void_p, dtype=c_uint8, ndim=c_int, shape=c_int64 * 4, row_stride=c_int64)
Segment = _struct("Segment", row_start=c_int32, row_count=c_int32, first_position=c_int32, sequence=c_int32)
IntView = _struct("IntView", data=c_void_p, count=c_int64)
SegmentView = _struct("SegmentView", data=c_void_p, count=c_int64)

#: ctypes types by the C++ type of a field in a params struct.
_FIELD_TYPES = {
    "TensorRef": TensorRef,
    "View<Segment>": SegmentView,
    "View<int32_t>": IntView,
    "KvCache*": c_void_p,
    "bool": c_bool,
    "float": c_float,
    "int": c_int,
    "uint64_t": c_uint64,
}


def _fields(body):
    """Yields (name, ctypes type) of each field in a struct's body, which has statements `type name = default, name;`."""
    for statement in filter(None, map(str.strip, body.split(";"))):
        kind, names = statement.split(None, 1)
        for name in names.split(","):
            yield name.split("=")[0].strip(), _FIELD_TYPES[kind]


def _header(name):
    return re.sub(r"//.*", "", (INCLUDE / name).read_text())


def _params():
    """The params structs by name, read from ops.h, the only place that defines them."""
    structs = re.findall(r"struct (\w+Params) \{(.*?)\};", _header("ops.h"), re.DOTALL)
    return {name: _struct(name, **dict(_fields(body))) for name, body in structs}


def _methods(macro):
    """The params struct of each method that an X-macro of cuda_abi.h lists, by the method's name."""
    lines = re.search(rf"#define {macro}\(X\)((?:.*\\\n)*.*\n)", _header("cuda_abi.h"))[1]
    return {method: PARAMS[params] for method, params in re.findall(r"X\((\w+), (\w+)\)", lines)}


PARAMS = _params()
globals().update(PARAMS)  # abi.GemmParams, ...

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

#: OPS: methods that take params. CACHE_OPS: methods that take params and a CacheView. Both keep the header's order.
OPS = _methods("MOA_FOR_EACH_CUDA_OP")
CACHE_OPS = _methods("MOA_FOR_EACH_CUDA_CACHE_OP")


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
    trim=_call(c_void_p),
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
