#!/usr/bin/env bash
# Compiles the Node addons into the cache: addons.sh rclnodejs | tensorflow | kernels. Nothing is written to node_modules here: link.sh does that.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
. "$DG_SETUP/addons-keys.sh"

# node-gyp wants Node's headers; those beside the node in use are right, and need no download
headers=$(dirname "$(dirname "$(readlink -f "$(command -v node)")")")
if [ -f "$headers/include/node/node.h" ]; then export npm_config_nodedir=$headers; fi
export PATH=$DG_APP/node_modules/.bin:$PATH JOBS

# A copy of the package in ADDON.partial, beside a link to node_modules where it finds what it requires.
stage() { # PACKAGE ADDON
  fresh_folder "$2.partial"
  ln -s "$DG_APP/node_modules" "$2.partial/node_modules"
  cp -r "$1" "$2.partial/package"
}

# Puts what was compiled there in its place, stripped, and removes the rest.
keep() { # COMPILED ADDON
  local made=$2.partial/made
  mkdir "$made"
  strip -o "$made/$(basename "$1")" "$2.partial/package/$1"
  mark_complete "$made"
  put_in_place "$made" "$2"
  rm -rf "$2.partial"
}

case ${1:-} in
  rclnodejs)
    complete "$DG_RCLNODEJS_ADDON" && exit 0
    set +u
    . "$DEPTHGRAD_ROOT/scripts/env.sh"
    set -u
    stage "$DG_APP/node_modules/rclnodejs" "$DG_RCLNODEJS_ADDON"
    (cd "$DG_RCLNODEJS_ADDON.partial/package" && rm -rf build generated && node-gyp rebuild -j "$JOBS")
    keep build/Release/rclnodejs.node "$DG_RCLNODEJS_ADDON"
    ;;
  tensorflow)
    complete "$DG_TFJS_ADDON" && exit 0
    stage "$DG_APP/node_modules/@tensorflow/tfjs-node-gpu" "$DG_TFJS_ADDON"
    (
      cd "$DG_TFJS_ADDON.partial/package"
      rm -rf deps lib build build-tmp-napi-v8
      ln -s "$DG_LIBTENSORFLOW/deps" deps
      # lists of strings and of types as attributes of a kernel, which fused convolutions have
      GIT_CEILING_DIRECTORIES=$DG_CACHE git apply "$DG_SETUP/tfjs-attributes.patch"
      grep -q TFE_OpSetAttrStringList binding/tfjs_backend.cc
      node-pre-gyp install --build-from-source
    )
    keep lib/napi-v8/tfjs_binding.node "$DG_TFJS_ADDON"
    ;;
  kernels)
    complete "$DG_KERNELS_ADDON" && exit 0
    stage "$DEPTHGRAD_ROOT/native" "$DG_KERNELS_ADDON"
    (cd "$DG_KERNELS_ADDON.partial/package" && node-gyp rebuild -j "$JOBS")
    keep build/Release/kernels.node "$DG_KERNELS_ADDON"
    ;;
  *) fail "addons.sh takes rclnodejs, tensorflow or kernels" ;;
esac
