#!/usr/bin/env bash
# PyTorch for npm run bench:train; prints the path of its python. The package index has one wheel for x86-64, which brings CUDA
# libraries along (about 3 GB to fetch, once) and runs on the CPU without a GPU.
. "$(dirname "${BASH_SOURCE[0]}")/venv.sh"
peer_python torch 2.15.0 numpy==2.4.6
