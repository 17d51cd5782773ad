#!/usr/bin/env bash
# Puts the built addons and generated messages into node_modules and proves that they load: link.sh rclnodejs | tensorflow | kernels.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
. "$DG_SETUP/addons-keys.sh"
modules=$DG_APP/node_modules

link_rclnodejs() {
  local key rclnodejs=$modules/rclnodejs
  key=$(basename "$DG_RCLNODEJS_ADDON")+$DG_INTERFACES_KEY
  if [ "$(cat "$rclnodejs/.depthgrad" 2>/dev/null)" != "$key" ]; then
    rm -f "$rclnodejs/.depthgrad"
    fresh_folder "$rclnodejs/build.new"
    mkdir "$rclnodejs/build.new/Release"
    cp "$DG_RCLNODEJS_ADDON/rclnodejs.node" "$rclnodejs/build.new/Release/"
    put_in_place "$rclnodejs/build.new" "$rclnodejs/build"
    rm -rf "$rclnodejs/generated.new"
    cp -r "$DG_RCLNODEJS_GENERATED/generated" "$rclnodejs/generated.new"
    put_in_place "$rclnodejs/generated.new" "$rclnodejs/generated"
    cp "$DG_RCLNODEJS_GENERATED/interfaces.d.ts" "$rclnodejs/types/.interfaces.new"
    mv "$rclnodejs/types/.interfaces.new" "$rclnodejs/types/interfaces.d.ts"
    (
      set +u
      . "$DEPTHGRAD_ROOT/scripts/env.sh"
      cd "$DG_APP"
      node -e "
        const ros = require('rclnodejs');
        for (const name of ['depthgrad/msg/EgoMotion', 'depthgrad/msg/DepthGradient', 'tf2_msgs/msg/TFMessage']) ros.createMessageObject(name);"
    ) || fail "rclnodejs was built but does not load (see above)"
    echo "$key" >"$rclnodejs/.depthgrad"
  fi
}

link_tensorflow() {
  local key tfjs=$modules/@tensorflow/tfjs-node-gpu
  key=$(basename "$DG_TFJS_ADDON")
  if [ "$(cat "$tfjs/.depthgrad" 2>/dev/null)" != "$key" ]; then
    rm -f "$tfjs/.depthgrad"
    rm -rf "$tfjs/deps.new"
    ln -s "$DG_LIBTENSORFLOW/deps" "$tfjs/deps.new"
    put_in_place "$tfjs/deps.new" "$tfjs/deps"
    fresh_folder "$tfjs/lib.new"
    mkdir "$tfjs/lib.new/napi-v8"
    cp "$DG_TFJS_ADDON/tfjs_binding.node" "$tfjs/lib.new/napi-v8/"
    put_in_place "$tfjs/lib.new" "$tfjs/lib"
    (cd "$DG_APP" && TF_CPP_MIN_LOG_LEVEL=2 node -e "
      const tf = require('@tensorflow/tfjs-node-gpu');
      if (tf.getBackend() !== 'tensorflow' || tf.matMul([[1, 2]], [[3], [4]]).dataSync()[0] !== 11) process.exit(1);") ||
      fail "tfjs-node-gpu was built but does not load or compute (see above)"
    echo "$key" >"$tfjs/.depthgrad"
  fi
}

link_kernels() {
  local key kernels=$modules/depthgrad-native
  key=$(basename "$DG_KERNELS_ADDON")
  if [ "$(cat "$kernels/.depthgrad" 2>/dev/null)" != "$key" ]; then
    fresh_folder "$kernels.new"
    cp "$DG_KERNELS_ADDON/kernels.node" "$kernels.new/"
    node -e 'if (require(process.argv[1]).sumOfSquares(Float32Array.of(3, 4)) !== 25) process.exit(1);' "$kernels.new/kernels.node" ||
      fail "the compiled kernels do not load or compute (see above)"
    echo "$key" >"$kernels.new/.depthgrad"
    put_in_place "$kernels.new" "$kernels"
  fi
}

case ${1:-} in
  rclnodejs | tensorflow | kernels) "link_$1" ;;
  *) fail "link.sh takes rclnodejs, tensorflow or kernels" ;;
esac
