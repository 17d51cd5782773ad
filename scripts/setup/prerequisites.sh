#!/usr/bin/env bash
# Names every program that is missing and the command that installs it, before anything is downloaded.
set -uo pipefail
DEPTHGRAD_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
. "$DEPTHGRAD_ROOT/scripts/setup/paths.sh"
missing=0

need() { # WHAT HOW
  echo "set-up: missing: $1" >&2
  echo "         install: $2" >&2
  missing=1
}

has() { command -v "$1" >/dev/null 2>&1; }

# Debian's and Ubuntu's own nodejs is older, and their npm cannot be installed beside NodeSource's nodejs, which brings one.
node_from="from nodejs.org, by nvm (nvm install 22) or from NodeSource"
if ! has node; then
  need "node (Node.js 20.20 or newer)" "Node.js $node_from"
elif ! node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 20) ? 0 : 1)'; then
  need "Node.js 20.20 or newer (node is $(node -v))" "a newer one $node_from"
fi
has npm || need "npm" "the one that comes with Node.js $node_from, not apt's"
has g++ || need "g++ (a C++17 compiler)" "sudo apt install g++"
has make || need "make" "sudo apt install make"
has cmake || need "cmake" "sudo apt install cmake"
has strip || need "strip" "sudo apt install binutils"
has flock || need "flock" "sudo apt install util-linux"

if [ "$DG_ROS_KIND" = wheels ]; then
  if ! has python3.11 || ! python3.11 -c '' 2>/dev/null; then
    need "python3.11 (the wheels of ROS 2 Kilted are made for it; not needed where ROS 2 is sourced)" \
      "sudo apt install python3.11-venv python3.11-dev (Debian 12); elsewhere pyenv (pyenv install 3.11 && pyenv global 3.11), or on Ubuntu the PPA deadsnakes"
  else
    python3.11 -c 'import ensurepip, venv' 2>/dev/null || need "python3.11's venv module" "sudo apt install python3.11-venv"
    # the interfaces' Python bindings are compiled
    python3.11 -c 'import os, sys, sysconfig; sys.exit(not os.path.exists(os.path.join(sysconfig.get_paths()["include"], "Python.h")))' 2>/dev/null ||
      need "the headers of python3.11" "sudo apt install python3.11-dev"
  fi
else
  case $DG_ROS_DISTRO in
    humble | jazzy | kilted) ;;
    *) echo "set-up: ROS 2 '$DG_ROS_DISTRO' is sourced; depthgrad is made for humble, jazzy and kilted. Going on with it." >&2 ;;
  esac
  has python3 || need "python3" "sudo apt install python3"
  python3 -c 'import ensurepip, venv' 2>/dev/null || need "python3's venv module" "sudo apt install python3-venv"
  has ros2 || need "the ros2 command (rclnodejs finds ROS 2 by it)" "sudo apt install ros-$DG_ROS_DISTRO-ros-base"
fi

case $(uname -m) in
  x86_64 | aarch64) ;;
  *) need "a 64-bit x86 or ARM machine (this is $(uname -m))" "there are no binaries of TensorFlow and ONNX Runtime for it" ;;
esac

mkdir -p "$DG_CACHE" 2>/dev/null && [ -w "$DG_CACHE" ] || need "a cache folder that can be written ($DG_CACHE)" "export DEPTHGRAD_CACHE=FOLDER"
if [ $missing = 0 ] && [ ! -d "$DG_CACHE/libtensorflow" ]; then
  free_mib=$(df -Pm "$DG_CACHE" | awk 'NR == 2 { print $4 }')
  if [ "$free_mib" -lt 4000 ]; then need "disk space: 4 GB in $DG_CACHE ($free_mib MB free)" "free some, or export DEPTHGRAD_CACHE=FOLDER"; fi
fi
exit $missing
