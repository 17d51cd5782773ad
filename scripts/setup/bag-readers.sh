#!/usr/bin/env bash
# A python with rosbags and mcap-ros2-support, the other side of the tests of bags. They need no ROS 2, and have one of their own beside them: a change
# of their versions builds nothing else anew.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
complete "$DG_BAG_READERS" && exit 0
rm -rf "$DG_BAG_READERS"
"$(host_python)" -m venv "$DG_BAG_READERS"
"$DG_BAG_READERS/bin/pip" install -q --no-input --progress-bar off -r "$DG_SETUP/bag-readers.txt"
mark_complete "$DG_BAG_READERS"
