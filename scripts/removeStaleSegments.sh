#!/usr/bin/env bash
# Removes the shared memory that killed Fast DDS processes left behind: some 35 MB each, until the memory is full. Fast DDS holds a lock on
# NAME_el or NAME_sl, beside the segment or port NAME, while its owner lives. What is locked, or mapped by any process, stays; ROS 2's own
# `fastdds shm clean` looks at the locks alone.
#   removeStaleSegments.sh [FOLDER]    /dev/shm
set -euo pipefail
folder=${1:-/dev/shm}

# Names with an unlocked lock file. fastrtps: before Kilted's Fast DDS 3.
declare -A stale=()
for lock in "$folder"/fast{dds,rtps}_*_{el,sl}; do
  name=${lock%_?l}
  [[ ${name##*/} =~ ^fast(dds|rtps)_([0-9a-z]{16}|port[0-9]+)$ ]] || continue
  # Another user's are not ours to remove.
  if [ -O "$lock" ] && flock --nonblock 7 7<"$lock"; then : "${stale[$name]:=1}"; else stale[$name]=0; fi
done 2>/dev/null
for name in "${!stale[@]}"; do
  if [ "${stale[$name]}" = 0 ]; then unset "stale[$name]"; fi
done
[ ${#stale[@]} -gt 0 ] || exit 0

# Processes may end while they are looked at.
mapped=$(cat /proc/[0-9]*/maps 2>/dev/null | grep -o "$folder/fast[a-z]*_.*" | sort -u || true)

# Since its locks were looked at a process may have opened the port NAME: they are taken here, and held while the files go.
remove() (
  for lock in "$1"_{el,sl}; do
    [ -e "$lock" ] || continue
    exec {held}<"$lock" && flock --nonblock "$held" || exit 1
  done
  # The locks last: a segment without one would never be found again.
  rm -f "$1" "$folder/sem.${1##*/}_mutex" "$1_el" "$1_sl"
)

bytes=0 count=0
for name in "${!stale[@]}"; do
  if grep -qxF "$name" <<<"$mapped"; then continue; fi
  size=$(stat -c %s "$name" 2>/dev/null || echo 0)
  if remove "$name" 2>/dev/null; then bytes=$((bytes + size)) count=$((count + 1)); fi
done
if [ $count -gt 0 ]; then
  echo "shared memory: removed $count Fast DDS segments of processes that were killed ($((bytes / 1048576)) MiB in $folder)" >&2
fi
