#!/usr/bin/env bash
# Runs a compiled program with everything it needs: run.sh dist/src/demo/demo.js ARGUMENTS
# Sets up and compiles first when something is missing or out of date.
set -euo pipefail
DEPTHGRAD_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
if [ $# = 0 ]; then
  echo "usage: scripts/run.sh dist/FILE.js ARGUMENTS" >&2
  exit 2
fi
bash "$DEPTHGRAD_ROOT/scripts/setup.sh"
bash "$DEPTHGRAD_ROOT/scripts/build.sh"
bash "$DEPTHGRAD_ROOT/scripts/removeStaleSegments.sh"
set +u
. "$DEPTHGRAD_ROOT/scripts/env.sh"
case $1 in
  /*) program=$1 ;;
  *) program=$DEPTHGRAD_ROOT/$1 ;;
esac
if [ ! -f "$program" ]; then
  echo "run.sh: $program is not there: programs are named as they are compiled, e.g. dist/src/demo/demo.js" >&2
  exit 2
fi
shift
# A training step makes many short-lived objects: a larger nursery saves a twentieth of it. Of one size from the start, so that the memory of a
# long run does not grow with it.
exec node --min-semi-space-size=64 --max-semi-space-size=64 "$program" "$@"
