#!/usr/bin/env bash
# libtensorflow and its headers out of TensorFlow's Python wheel (only unpacked, so any Python will do), laid out as tfjs-node's binding.gyp wants.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
kind=$(tensorflow_kind)
folder=$DG_CACHE/libtensorflow/$kind-$TENSORFLOW_VERSION
complete "$folder" && exit 0

machine=$(uname -m)
case $kind-$machine in
  cpu-x86_64) package=tensorflow-cpu sha256=810c75d7149d2da0cb2092187817b0dcabb80728ca9f9cf3a61f3f42fadd1298 ;;
  cuda-x86_64) package=tensorflow sha256=c9f87e5d2a680a4595f5dc30daf6bbaec9d4129b46d7ef1b2af63c46ac7d2828 ;;
  *-aarch64) package=tensorflow sha256=8a6485edd2148f70d011dbd1d8dc2c775e91774a5a159466e83d0d1f21580944 ;; # CPU only
  *) fail "there is no TensorFlow wheel for $machine" ;;
esac
name=${package//-/_}-$TENSORFLOW_VERSION-cp311-cp311-manylinux_2_17_$machine.manylinux2014_$machine.whl
wheel=$(fetch_wheel "$package==$TENSORFLOW_VERSION" "$name" "$sha256" --only-binary=:all: --python-version 3.11 --implementation cp \
  --platform "manylinux_2_17_$machine" --platform "manylinux2014_$machine")

fresh_folder "$folder.partial"
unpack_wheel "$wheel" "$folder.partial" 'tensorflow/include/*' tensorflow/libtensorflow_cc.so.2 tensorflow/libtensorflow_framework.so.2 '*/METADATA'
mkdir -p "$folder.partial/deps"
mv "$folder.partial/tensorflow/include" "$folder.partial/deps/include"
mkdir "$folder.partial/deps/lib"
mv "$folder.partial"/tensorflow/lib*.so.2 "$folder.partial/deps/lib/"
ln -s libtensorflow_cc.so.2 "$folder.partial/deps/lib/libtensorflow.so"
ln -s libtensorflow_framework.so.2 "$folder.partial/deps/lib/libtensorflow_framework.so"

if [ "$kind-$machine" = cuda-x86_64 ]; then
  # libtensorflow_cc looks for CUDA in ../nvidia/*/lib beside itself; the wheel's metadata says which releases it was built with
  sed -n "s/^Requires-Dist: \(nvidia-[a-z0-9-]*\) *(\{0,1\}==\([0-9.]*\).*and-cuda.*/\1==\2/p" "$folder.partial"/*/METADATA >"$folder.partial/cuda.txt"
  "$(pip_python)" -m pip install --no-input --progress-bar off --no-deps --only-binary=:all: --python-version 3.11 --implementation cp \
    --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64 --platform manylinux1_x86_64 \
    --target "$folder.partial/deps" -r "$folder.partial/cuda.txt"
fi
mark_complete "$folder.partial"
put_in_place "$folder.partial" "$folder"
rm -f "$wheel"
