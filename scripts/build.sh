#!/usr/bin/env bash
# Compiles TypeScript to dist/ when a source is newer than the last build, or one was added or removed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
sources=$({ find src bench test -name '*.ts' 2>/dev/null || true; } | sort | sha256sum)
newer=$(find src bench test tsconfig.json package-lock.json node_modules/rclnodejs/types/interfaces.d.ts -newer dist/.built -print -quit 2>/dev/null || true)
if [ "$(cat dist/.built 2>/dev/null)" = "$sources" ] && [ -z "$newer" ]; then exit 0; fi
echo "build: compiling TypeScript ..." >&2
mkdir -p dist
started=$(mktemp)
trap 'rm -f "$started"' EXIT
node_modules/.bin/tsc -p tsconfig.json
echo "$sources" >dist/.built
touch -r "$started" dist/.built # a source saved during the compilation counts as newer
