"""KV caches in memory that the benchmark chooses, with CacheView and the tile layout of cuda/cache/tile.h."""

import ctypes
import functools

import numpy as np
import torch

from . import abi
from .library import DTYPES, Context, int_view, tensor_ref

TILE = 64  # tokens
CHUNK_BYTES = 16


def swizzled(dtype: torch.dtype, head_dim: int) -> bool:
    """Whether the 16-byte chunks of a row are permuted; the same rule as cache_swizzled() in C++."""
    return dtype != torch.float32 and head_dim in (32, 64, 96, 128, 256)


@functools.lru_cache(maxsize=64)
def element_indices(capacity: int, head_dim: int, dtype: torch.dtype) -> tuple[np.ndarray, np.ndarray]:
    """Offsets of all elements of the keys and of the values: two int64 [capacity, D], counted from a head's first element."""
    slot = np.arange(capacity, dtype=np.int64)[:, None]
    element = np.arange(head_dim, dtype=np.int64)[None, :]
    row, tile = slot % TILE, slot // TILE
    size = 4 if dtype == torch.float32 else 2
    per_chunk = CHUNK_BYTES // size
    chunk = element // per_chunk
    if swizzled(dtype, head_dim):
        whole_lines = (head_dim // per_chunk) % 8 == 0
        chunk = chunk ^ (row & 7) if whole_lines else chunk ^ ((row >> 1) & 3)
    within = chunk * per_chunk + element % per_chunk
    base = tile * TILE * 2 * head_dim
    tile_slots = np.minimum(capacity - tile * TILE, TILE)
    return base + row * head_dim + within, base + (tile_slots + row) * head_dim + within


class BenchCache:
    """A cache whose heads lie one after another in `storage`, a flat tensor of the cache's dtype.

    Layers follow one another. When the storage is used up, the next layer starts again at element 0, so layers may
    share memory. A storage of a few times the size of L2 is therefore enough for all layers of a model.
    capacities: int32 [sequences, layers, kv_heads] slots. lengths: [sequences] tokens before the step.
    """

    def __init__(
        self,
        context: Context,
        storage: torch.Tensor,
        capacities: np.ndarray,
        head_dim: int,
        lengths,
        windowed: bool = True,
        sink: int = 64,
    ):
        self.context, self.storage, self.head_dim = context, storage, head_dim
        self.capacities = np.array(capacities, np.int32, order="C")
        self.lengths = np.asarray(lengths, np.int32)
        self.offsets = self._place()
        addresses = storage.data_ptr() + self.offsets * storage.element_size()
        device = storage.device
        self._heads = torch.from_numpy(addresses).to(device)
        self._capacities = torch.from_numpy(self.capacities).to(device)
        self._lengths = torch.from_numpy(self.lengths).to(device)
        sequences, layers, kv_heads = self.capacities.shape
        plan_bytes = context.functions["decode_plan_bytes"](context.handle, sequences, layers, kv_heads)
        self._plan = torch.zeros(max(plan_bytes, 1), dtype=torch.uint8, device=device)
        self.view = abi.CacheView(
            heads=self._heads.data_ptr(),
            capacities=self._capacities.data_ptr(),
            host_capacities=self.capacities.ctypes.data,
            lengths=self._lengths.data_ptr(),
            plan=self._plan.data_ptr(),
            sequences=sequences,
            layers=layers,
            kv_heads=kv_heads,
            head_dim=head_dim,
            sink=sink,
            dtype=DTYPES[storage.dtype],
            windowed=windowed,
        )

    def _place(self) -> np.ndarray:
        """First element of every head: int64 [sequences, layers, kv_heads]."""
        sizes = self.capacities.astype(np.int64) * (2 * self.head_dim)
        offsets = np.empty_like(sizes)
        start = 0
        for layer in range(sizes.shape[1]):
            flat = sizes[:, layer].ravel()
            if flat.sum() > self.storage.numel():
                raise ValueError(f"Expected a storage of {flat.sum()} elements but received {self.storage.numel()}")
            if start + flat.sum() > self.storage.numel():
                start = 0
            ends = start + np.cumsum(flat)
            offsets[:, layer] = (ends - flat).reshape(offsets[:, layer].shape)
            start = int(ends[-1])
        return offsets

    def live_slots(self) -> np.ndarray:
        """Slots that a decode step reads: int64 [sequences, layers, kv_heads]."""
        return np.minimum(self.capacities, self.lengths[:, None, None] + 1).astype(np.int64)

    def live_bytes(self, layer: int | None = None) -> int:
        """Bytes of keys and values that a decode step of one layer (or all) reads."""
        live = self.live_slots() if layer is None else self.live_slots()[:, layer]
        return int(live.sum()) * 2 * self.head_dim * self.storage.element_size()

    def _head(self, sequence: int, layer: int, kv_head: int):
        """The part of the storage that belongs to a head, and the offsets of its keys and of its values in this part."""
        capacity = int(self.capacities[sequence, layer, kv_head])
        offset = int(self.offsets[sequence, layer, kv_head])
        part = self.storage[offset : offset + capacity * 2 * self.head_dim]
        place = element_indices(capacity, self.head_dim, self.storage.dtype)
        return part, *(torch.from_numpy(indices).to(part.device) for indices in place)

    def store(self, sequence: int, layer: int, kv_head: int, keys, values) -> None:
        """Writes slots [0, n) of one head from keys and values [n, D]."""
        part, key_at, value_at = self._head(sequence, layer, kv_head)
        part[key_at[: keys.shape[0]]] = keys
        part[value_at[: values.shape[0]]] = values

    def load(self, sequence: int, layer: int, kv_head: int):
        """Keys and values of all slots of one head: two tensors [capacity, D]."""
        part, key_at, value_at = self._head(sequence, layer, kv_head)
        return part[key_at], part[value_at]

    def decode_plan(self, sequences: np.ndarray) -> None:
        self.context.call("decode_plan", ctypes.byref(self.view), int_view(sequences))

    def decode_params(self, layer: int, q, out, sequences: np.ndarray, scale: float):
        """Params of attention_decode; q and out [B, H, D]. The caller must keep all arguments alive."""
        return abi.AttentionDecodeParams(
            layer=layer,
            q=tensor_ref(q),
            out=tensor_ref(out),
            sequences=int_view(sequences),
            scale=scale,
        )
