#!/usr/bin/env bash
# node_modules as package-lock.json says. Install scripts stay off: they would fetch from outside the registries, and addons.sh does their work.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
cd "$DG_APP"
# npm writes node_modules/.package-lock.json last, so an interrupted npm leaves none
up_to_date='
const read = (file) => { try { return require(file).packages; } catch { return undefined; } };
const wanted = read(process.argv[1] + "/package-lock.json"), installed = read(process.argv[1] + "/node_modules/.package-lock.json");
const differs = (path) => path !== "" && !wanted[path].optional && installed[path]?.version !== wanted[path].version;
process.exit(installed && !Object.keys(wanted).some(differs) ? 0 : 1);'
if node -e "$up_to_date" "$PWD"; then exit 0; fi
ONNXRUNTIME_NODE_INSTALL=skip npm ci --ignore-scripts --prefer-offline --no-audit --no-fund --loglevel=error ||
  fail "npm ci failed in $DG_APP (see above); without a network the first set-up cannot be done. Run the same command again to resume."
