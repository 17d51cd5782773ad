#!/usr/bin/env bash
# Compiles the Node addons into the cache: addons.sh rclnodejs | tensorflow | kernels. Nothing is written to node_modules here: link.sh does that.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
. "$DG_SETUP/addons-keys.sh"

# node-gyp wants Node's headers; those beside the node in use are right, and need no download
headers=$(dirname "$(dirname "$(readlink -f "$(command -v node)")")")
if [ -f "$headers/include/node/node.h" ]; then export npm_config_nodedir=$headers; fi
export PATH=$DG_APP/node_modules/.bin:$PATH JOBS

# A copy of the package, beside a link to node_modules where it finds what it requires.
stage() { # PACKAGE FOLDER
  fresh_folder "$2"
  ln -s "$DG_APP/node_modules" "$2/node_modules"
  cp -r "$DG_APP/node_modules/$1" "$2/package"
}

case ${1:-} in
  rclnodejs)
    complete "$DG_RCLNODEJS_ADDON" && exit 0
    set +u
    . "$DEPTHGRAD_ROOT/scripts/env.sh"
    set -u
    stage rclnodejs "$DG_RCLNODEJS_ADDON.partial"
    (cd "$DG_RCLNODEJS_ADDON.partial/package" && rm -rf build generated && node-gyp rebuild -j "$JOBS")
    mkdir -p "$DG_RCLNODEJS_ADDON.partial/made"
    strip -o "$DG_RCLNODEJS_ADDON.partial/made/rclnodejs.node" "$DG_RCLNODEJS_ADDON.partial/package/build/Release/rclnodejs.node"
    mark_complete "$DG_RCLNODEJS_ADDON.partial/made"
    put_in_place "$DG_RCLNODEJS_ADDON.partial/made" "$DG_RCLNODEJS_ADDON"
    rm -rf "$DG_RCLNODEJS_ADDON.partial"
    ;;
  tensorflow)
    complete "$DG_TFJS_ADDON" && exit 0
    stage "@tensorflow/tfjs-node-gpu" "$DG_TFJS_ADDON.partial"
    (
      cd "$DG_TFJS_ADDON.partial/package"
      rm -rf deps lib build build-tmp-napi-v8
      ln -s "$DG_LIBTENSORFLOW/deps" deps
      # lists of strings and of types as attributes of a kernel, which fused convolutions have
      GIT_CEILING_DIRECTORIES=$DG_CACHE git apply "$DG_SETUP/tfjs-attributes.patch"
      grep -q TFE_OpSetAttrStringList binding/tfjs_backend.cc
      node-pre-gyp install --build-from-source
    )
    mkdir -p "$DG_TFJS_ADDON.partial/made"
    strip -o "$DG_TFJS_ADDON.partial/made/tfjs_binding.node" "$DG_TFJS_ADDON.partial/package/lib/napi-v8/tfjs_binding.node"
    mark_complete "$DG_TFJS_ADDON.partial/made"
    put_in_place "$DG_TFJS_ADDON.partial/made" "$DG_TFJS_ADDON"
    rm -rf "$DG_TFJS_ADDON.partial"
    ;;
  kernels)
    complete "$DG_KERNELS_ADDON" && exit 0
    fresh_folder "$DG_KERNELS_ADDON.partial"
    ln -s "$DG_APP/node_modules" "$DG_KERNELS_ADDON.partial/node_modules"
    cp -r "$DEPTHGRAD_ROOT/native" "$DG_KERNELS_ADDON.partial/package"
    (cd "$DG_KERNELS_ADDON.partial/package" && node-gyp rebuild -j "$JOBS")
    mkdir -p "$DG_KERNELS_ADDON.partial/made"
    strip -o "$DG_KERNELS_ADDON.partial/made/kernels.node" "$DG_KERNELS_ADDON.partial/package/build/Release/kernels.node"
    mark_complete "$DG_KERNELS_ADDON.partial/made"
    put_in_place "$DG_KERNELS_ADDON.partial/made" "$DG_KERNELS_ADDON"
    rm -rf "$DG_KERNELS_ADDON.partial"
    ;;
  *) fail "addons.sh takes rclnodejs, tensorflow or kernels" ;;
esac
