"""libmoabench_cuda.so on torch tensors: same process, same device memory, same stream as PyTorch's kernels.

context = Context(Library(path))
torch.cuda.set_stream(context.torch_stream)   # torch's kernels and events then share the stream
context.op("add", abi.AddParams(x=tensor_ref(x), y=tensor_ref(y)))
"""

import contextlib
import ctypes
import os
import shutil
import tempfile
from collections.abc import Callable

import numpy as np
import torch

from . import abi

DTYPES = {torch.float32: 0, torch.float16: 1, torch.bfloat16: 2, torch.int32: 3}


class MoaError(RuntimeError):
    """The error of a function of the library: `[CODE] function: text`."""


def tensor_ref(tensor: torch.Tensor) -> abi.TensorRef:
    """A view of `tensor`, which the caller keeps alive. Only the leading dimension may be strided."""
    inner = 1
    for size, stride in zip(reversed(tensor.shape[1:]), reversed(tensor.stride()[1:]), strict=True):
        if size > 1 and stride != inner:
            raise ValueError(f"Expected contiguous rows but received strides {tensor.stride()}")
        inner *= size
    shape = (ctypes.c_int64 * 4)(*tensor.shape)
    return abi.TensorRef(tensor.data_ptr(), DTYPES[tensor.dtype], tensor.dim(), shape, tensor.stride(0))


def int_view(values: np.ndarray) -> abi.IntView:
    """A view of int32 on the host. The caller keeps it alive while the op is enqueued."""
    assert values.dtype == np.int32 and values.flags.c_contiguous
    return abi.IntView(values.ctypes.data, values.size)


def segment_view(segments: np.ndarray) -> abi.SegmentView:
    """A view of int32 [segments, 4] on the host: row_start, row_count, first_position, sequence."""
    assert segments.dtype == np.int32 and segments.flags.c_contiguous and segments.shape[1] == 4
    return abi.SegmentView(segments.ctypes.data, segments.shape[0])


class Library:
    """The opened library and its table of functions."""

    def __init__(self, path: str):
        self.path = path
        entry = getattr(ctypes.CDLL(path), abi.ENTRY_POINT)
        entry.restype, entry.argtypes = ctypes.c_uint32, [ctypes.c_uint32, ctypes.c_void_p]
        self.api = abi.Api()
        other = entry(abi.ABI_VERSION, ctypes.addressof(self.api))
        if other != 0 or self.api.abi_version != abi.ABI_VERSION:
            raise MoaError(
                f"Expected version {abi.ABI_VERSION} of the interface for {path}"
                f" but received {other or self.api.abi_version}"
            )
        missing = [name for name, _ in abi.Api._fields_[1:] if not getattr(self.api, name)]
        if missing:
            raise MoaError(f"{path} leaves functions empty: {', '.join(missing)}")


@contextlib.contextmanager
def environment(**variables: str):
    """Sets environment variables inside a `with` block. os.environ sets them for C code too, so the library sees them."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def load_copy(path: str) -> "Context":
    """The context of a second copy of the library. Each copy reads the environment once, so the copy may get other values."""
    handle, copy = tempfile.mkstemp(suffix=".so", prefix="moabench_")
    os.close(handle)
    shutil.copyfile(path, copy)
    try:
        return Context(Library(copy))
    finally:
        os.unlink(copy)


class Graph:
    """Recorded ops of one context."""

    def __init__(self, context: "Context", handle: ctypes.c_void_p):
        self._context, self._handle = context, handle

    def launch(self) -> None:
        self._context.call("graph_launch", self._handle)

    def destroy(self) -> None:
        if self._handle:
            self._context.functions["graph_destroy"](self._context.handle, self._handle)
        self._handle = None


class Context:
    """One in-order stream of the library on torch's current device. Lives as long as the process.

    Scratch memory comes from the library's own pool, as without memory hooks.
    """

    def __init__(self, library: Library):
        self.library = library
        self.functions = {name: getattr(library.api, name) for name, _ in abi.Api._fields_[1:]}
        self.handle = ctypes.c_void_p()
        device = torch.cuda.current_device()
        self._check("create", self.functions["create"](device, ctypes.byref(self.handle)))
        self.stream = self.functions["stream"](self.handle) or 0
        self.torch_stream = torch.cuda.ExternalStream(self.stream, device=device)

    def _check(self, function: str, status: int) -> None:
        if status == 0:
            return
        code = abi.ERROR_CODES[status - 1] if 0 < status <= len(abi.ERROR_CODES) else status
        text = (self.functions["last_error"]() or b"").decode(errors="replace")
        raise MoaError(f"[{code}] {function}: {text}")

    def call(self, function: str, *arguments) -> None:
        """Calls a function of the table that takes the context and returns a status. @raises MoaError when it fails."""
        self._check(function, self.functions[function](self.handle, *arguments))

    def op(self, method: str, params) -> None:
        self.call(method, ctypes.byref(params))

    def cache_op(self, method: str, params, view: abi.CacheView | None) -> None:
        """An op over a cache; attention_prefill also takes None."""
        self.call(method, ctypes.byref(params), None if view is None else ctypes.byref(view))

    def capture(self, enqueue: Callable[[], None]) -> Graph:
        """A graph of the ops that `enqueue` enqueues. Each of these ops must have run once before."""
        self.call("capture_begin")
        try:
            enqueue()
        except Exception:
            self.functions["capture_end"](self.handle, None)
            raise
        handle = ctypes.c_void_p()
        self.call("capture_end", ctypes.byref(handle))
        return Graph(self, handle)

    def synchronize(self) -> None:
        self.call("synchronize")

    def describe(self) -> dict:
        info = abi.DeviceInfo()
        self.call("describe", ctypes.byref(info))
        values = {name: getattr(info, name) for name, _ in abi.DeviceInfo._fields_}
        return {k: v.decode() if isinstance(v, bytes) else v for k, v in values.items()}
