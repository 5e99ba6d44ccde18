#!/usr/bin/env bash
# Installs a CUDA compiler from NVIDIA's wheels on PyPI, for machines without a toolkit (it compiles; running needs a driver). Prints the
# folder to put on the PATH, or says why there is none and exits with 1. The 300 MB stay in a cache folder, where the next call finds them:
#   PATH="$(bash scripts/cuda/compiler.sh):$PATH" npm run build:native
set -euo pipefail
wheels=$(dirname "$(realpath "$0")")/wheels.txt
cache=${XDG_CACHE_HOME:-$HOME/.cache}/moabench
folder=$cache/cuda-$(sha256sum "$wheels" | cut -c1-12)

install() {
  mkdir -p "$cache"
  local fresh
  fresh=$(mktemp -d "$cache/cuda-XXXXXX")
  trap 'rm -rf "$fresh"' RETURN
  if ! python3 -m pip --version >/dev/null 2>&1; then
    echo "cuda: no compiler: Python's pip is missing (Debian: apt-get install python3-pip)" >&2
    return 1
  fi
  if ! PIP_ROOT_USER_ACTION=ignore python3 -m pip install --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes \
    --target "$fresh" --requirement "$wheels" >&2; then
    echo 'cuda: no compiler: its wheels could not be installed from PyPI' >&2
    return 1
  fi
  ln -s lib "$fresh/nvidia/cu13/lib64" # nvcc looks here when it links, as in CMake's check of the compiler
  chmod 755 "$fresh"
  mv -T "$fresh" "$folder" 2>/dev/null || [[ -x $folder/nvidia/cu13/bin/nvcc ]] # or another call has installed it meanwhile
}

[[ -x $folder/nvidia/cu13/bin/nvcc ]] || install
echo "$folder/nvidia/cu13/bin"
