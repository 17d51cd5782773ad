#!/usr/bin/env bash
# PyTorch in a cached virtual environment of its own, for npm run bench:train; prints the path of its python. The package index has one wheel
# for x86-64, which brings CUDA libraries along (about 3 GB to fetch, once) and runs on the CPU without a GPU.
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/setup/common.sh"

TORCH_VERSION=2.15.0
venv=$DG_CACHE/python/torch-$TORCH_VERSION
mkdir -p "$DG_CACHE/python"
exec 7>"$DG_CACHE/.torch.lock"
flock 7 # two benches at once
if ! complete "$venv"; then
  rm -rf "$venv" # a virtual environment cannot be renamed: it is made in place, and the mark is written last
  "$(host_python)" -m venv "$venv" >&2
  "$venv/bin/pip" install --no-input --progress-bar off --no-cache-dir "torch==$TORCH_VERSION" numpy==2.4.6 >&2 ||
    fail "PyTorch $TORCH_VERSION could not be installed (the network, or the package index, does not answer). Run the same command again."
  mark_complete "$venv"
fi
echo "$venv/bin/python"
