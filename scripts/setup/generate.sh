#!/usr/bin/env bash
# Generates rclnodejs' JavaScript and TypeScript declarations of every message on the path into the cache.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
. "$DG_SETUP/addons-keys.sh"
complete "$DG_RCLNODEJS_GENERATED" && exit 0
set +u
. "$DEPTHGRAD_ROOT/scripts/env.sh"
set -u
folder=$DG_RCLNODEJS_GENERATED.partial
fresh_folder "$folder"
ln -s "$DG_APP/node_modules" "$folder/node_modules"
cp -r "$DG_APP/node_modules/rclnodejs" "$folder/package"
rm -rf "$folder/package"/{build,generated,types/interfaces.d.ts}
mkdir -p "$folder/package/build/Release" "$folder/made"
cp "$DG_RCLNODEJS_ADDON/rclnodejs.node" "$folder/package/build/Release/"
(cd "$folder/package" && node scripts/generate_messages.cjs)
# the generator reports its errors but exits 0
for file in generated/depthgrad generated/sensor_msgs generated/tf2_msgs types/interfaces.d.ts; do
  [ -e "$folder/package/$file" ] || fail "rclnodejs did not generate $file; its output is above"
done
mv "$folder/package/generated" "$folder/package/types/interfaces.d.ts" "$folder/made/"
mark_complete "$folder/made"
put_in_place "$folder/made" "$DG_RCLNODEJS_GENERATED"
rm -rf "$folder"
