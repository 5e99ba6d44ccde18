"""Compares the ctypes structs of abi.py with the C++ headers: python -m moabench_peers.kernels.check_layout

It needs g++ but no GPU. When something differs, it prints a list and ends with exit code 1.
"""

import ctypes
import pathlib
import subprocess
import sys
import tempfile

from . import abi

CPP_NAMES = {
    "TensorRef": "moa::TensorRef",
    "Segment": "moa::Segment",
    "IntView": "moa::View<int32_t>",
    "SegmentView": "moa::View<moa::Segment>",
    **{params.__name__: f"moa::{params.__name__}" for params in (abi.OPS | abi.CACHE_OPS).values()},
    **{
        name: f"moa::cuda::{name}"
        for name in ("CacheView", "GrowParams", "DeviceInfo", "DeviceMemory", "MemoryHooks", "Api")
    },
}


def python_layout() -> list[str]:
    lines = [f"kAbiVersion {abi.ABI_VERSION}", f"kEntryPoint {abi.ENTRY_POINT}"]
    for name in CPP_NAMES:
        struct = getattr(abi, name)
        lines.append(f"{name} {ctypes.sizeof(struct)}")
        for field in struct._fields_:
            place = getattr(struct, field[0])
            lines.append(f"{name}.{field[0]} {place.offset} {place.size}")
    return lines


def cpp_program() -> str:
    prints = []
    for name in CPP_NAMES:
        prints.append(f'printf("{name} %zu\\n", sizeof(T_{name}));')
        for field in getattr(abi, name)._fields_:
            member = f"T_{name}, {field[0]}"
            size = f"sizeof(T_{name}::{field[0]})"
            prints.append(f'printf("{name}.{field[0]} %zu %zu\\n", offsetof({member}), {size});')
    names = "\n".join(f"using T_{name} = {cpp_name};" for name, cpp_name in CPP_NAMES.items())
    body = "\n  ".join(prints)
    return f"""#include <cstddef>
#include <cstdio>
#include "moa/cuda_abi.h"
{names}
int main() {{
  printf("kAbiVersion %u\\nkEntryPoint %s\\n", moa::cuda::kAbiVersion, moa::cuda::kEntryPoint);
  {body}
}}
"""


def cpp_layout() -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder) / "layout.cc"
        source.write_text(cpp_program())
        binary = str(source.with_suffix(""))
        flags = ["-std=c++20", "-Wno-invalid-offsetof", f"-I{abi.INCLUDE.parent}"]
        subprocess.run(["g++", *flags, str(source), "-o", binary], check=True)
        return subprocess.check_output([binary], text=True).splitlines()


def main() -> None:
    expected, received = cpp_layout(), python_layout()
    wrong = [(e, r) for e, r in zip(expected, received, strict=True) if e != r]
    for e, r in wrong:
        print(f"Expected {e} but abi.py has {r}")
    print(f"{len(received) - len(wrong)} of {len(received)} sizes and offsets agree")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
