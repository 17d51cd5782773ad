# Where the addons of this checkout's packages lie in the cache: keyed by package version, Node's major version, machine and library they bind.
# Sourced after common.sh, when node_modules is there.
dg_package_version() { node -p 'require(process.argv[1]).version' "$DG_APP/node_modules/$1/package.json"; }
DG_NODE_KEY=node$(node -p 'process.versions.modules')-$(uname -m)
DG_TENSORFLOW_KIND=$(tensorflow_kind)
DG_LIBTENSORFLOW=$DG_CACHE/libtensorflow/$DG_TENSORFLOW_KIND-$TENSORFLOW_VERSION
DG_RCLNODEJS_ADDON=$DG_CACHE/addons/rclnodejs-$(dg_package_version rclnodejs)-$DG_NODE_KEY-$DG_ROS_KEY
DG_RCLNODEJS_GENERATED=$DG_CACHE/addons/rclnodejs-$(dg_package_version rclnodejs)-generated-$DG_INTERFACES_KEY
# the headers of both kinds are the same release, but the addon is linked against what it will run with
DG_TFJS_ADDON=$DG_CACHE/addons/tfjs-$(dg_package_version @tensorflow/tfjs-node-gpu)-$DG_NODE_KEY-$DG_TENSORFLOW_KIND-$TENSORFLOW_VERSION-$(dg_hash "$DG_SETUP/tfjs-attributes.patch")
# compiled for this processor: a cache that moves to another machine must not bring it along
DG_KERNELS_ADDON=$DG_CACHE/addons/kernels-$DG_NODE_KEY-$({ cat "$DEPTHGRAD_ROOT"/native/*; grep -m1 '^\(flags\|Features\)' /proc/cpuinfo || true; } | dg_hash -)
mkdir -p "$DG_CACHE/addons" "$DG_CACHE/libtensorflow"
