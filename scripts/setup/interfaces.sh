#!/usr/bin/env bash
# Builds the project's messages (and tf2_msgs where none is installed) for C, C++, Python and rclnodejs to use.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
complete "$DG_INTERFACES" && exit 0
set +u
. "$DEPTHGRAD_ROOT/scripts/env.sh"
set -u
fresh_folder "$DG_INTERFACES" # not moved afterwards: CMake exports hold absolute paths

if [ "$DG_ROS_KIND" = wheels ]; then interpreter=$DG_PYTHON; else interpreter=$(command -v python3); fi

build() { # SOURCE CMAKE-OPTION...
  local source=$1 folder=$DG_INTERFACES/build
  shift
  fresh_folder "$folder"
  cmake -S "$source" -B "$folder" -DCMAKE_INSTALL_PREFIX="$DG_INTERFACES" -DCMAKE_BUILD_TYPE=Release -DBUILD_TESTING=OFF \
    -DPython3_EXECUTABLE="$interpreter" "$@"
  cmake --build "$folder" --parallel "$JOBS"
  cmake --install "$folder"
  rm -rf "$folder"
}

installed() { # PACKAGE
  local prefix
  while read -r -d : prefix; do
    if [ -f "$prefix/share/$1/package.xml" ]; then return 0; fi
  done <<<"$AMENT_PREFIX_PATH:"
  return 1
}

if ! installed tf2_msgs; then build "$DEPTHGRAD_ROOT/interfaces/tf2_msgs"; fi
build "$DEPTHGRAD_ROOT" -DDEPTHGRAD_INTERFACES_ONLY=ON
mark_complete "$DG_INTERFACES"
