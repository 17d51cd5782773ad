#!/usr/bin/env bash
# npm test: set-up, compilation, lint and every test. Arguments go to jest: npm test -- test/geometry
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bash scripts/setup.sh
bash scripts/build.sh
bash scripts/removeStaleSegments.sh
failures=0
lint=passed
echo "test: lint ..." >&2
npm run --silent lint || { lint="FAILED, see above (npm run format mends what is only layout)"; failures=1; }
set +u
. scripts/env.sh
set -u
results=$(mktemp)
trap 'rm -f "$results"' EXIT
node node_modules/jest/bin/jest.js --json --outputFile="$results" "$@" >/dev/null || failures=1
node -e '
const { numPassedTests, numFailedTests, numPendingTests, numRuntimeErrorTestSuites } = JSON.parse(require("fs").readFileSync(process.argv[1], "utf8") || "{}");
if (numRuntimeErrorTestSuites) console.log(`${numRuntimeErrorTestSuites} test files could not be run`);
console.log(`${numPassedTests} passed, ${numFailedTests} failed, ${numPendingTests} skipped`);' "$results"
echo "lint $lint"
exit $failures
