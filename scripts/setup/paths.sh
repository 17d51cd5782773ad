# Where everything set-up makes lies, keyed by what it was made from. Sourced by scripts/env.sh (in a user's shell) and by the set-up steps:
# only variables are set here, no shell options. Needs DEPTHGRAD_ROOT (the checkout).

DG_CACHE=${DEPTHGRAD_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/depthgrad}
DG_SETUP=$DEPTHGRAD_ROOT/scripts/setup
DG_APP=${DEPTHGRAD_APP:-$DEPTHGRAD_ROOT} # the folder whose node_modules is served: the checkout, or colcon's build folder

# A ROS 2 that was sourced by the user is used; our own prefix, sourced by an earlier env.sh, does not count as one.
case ":${AMENT_PREFIX_PATH:-}:" in
  :: | *":$DG_CACHE/ros/"*) DG_ROS_KIND=wheels DG_ROS_DISTRO=kilted ;;
  *) DG_ROS_KIND=sourced DG_ROS_DISTRO=${ROS_DISTRO:-unknown} ;;
esac

dg_hash() { { cat "$@" 2>/dev/null || true; } | sha256sum | cut -c1-12; } # a pattern that matches no file (srv/*.srv) counts as nothing

if [ "$DG_ROS_KIND" = wheels ]; then
  DG_ROS_KEY=kilted-$(dg_hash "$DG_SETUP/ros-kilted.txt" "$DG_SETUP/ros.sh")
  DG_ROS_PREFIX=$DG_CACHE/ros/$DG_ROS_KEY
  DG_PYTHON=$DG_ROS_PREFIX/bin/python
else
  # What is built belongs to the ROS 2 that was sourced, not to the workspaces sourced over it.
  dg_prefix=$(printf '%s\n' "$AMENT_PREFIX_PATH" | tr : '\n' | while read -r dg_prefix; do
    if [ -f "$dg_prefix/share/rclpy/package.xml" ]; then echo "$dg_prefix" && break; fi
  done)
  DG_ROS_KEY=$DG_ROS_DISTRO-$(printf %s "$dg_prefix" | dg_hash -)
  unset dg_prefix
  DG_ROS_PREFIX=
  DG_PYTHON=$DG_CACHE/python/$DG_ROS_KEY/bin/python
fi
DG_INTERFACES_KEY=$DG_ROS_KEY-$(dg_hash "$DEPTHGRAD_ROOT"/{CMakeLists.txt,package.xml} "$DEPTHGRAD_ROOT"/msg/*.msg "$DEPTHGRAD_ROOT"/srv/*.srv \
  "$DEPTHGRAD_ROOT"/interfaces/tf2_msgs/{CMakeLists.txt,package.xml,msg/TFMessage.msg} "$DG_SETUP/interfaces.sh")
DG_INTERFACES=$DG_CACHE/interfaces/$DG_INTERFACES_KEY
DG_BAG_READERS=$DG_CACHE/python/bag-readers-$(dg_hash "$DG_SETUP"/bag-readers.{txt,sh})
