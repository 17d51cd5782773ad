#!/usr/bin/env bash
# npm test: set-up, compilation, lint and every test. Arguments go to jest: npm test -- test/geometry
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bash scripts/setup.sh
bash scripts/build.sh
echo "test: lint ..." >&2
npm run --silent lint
set +u
. scripts/env.sh
set -u
exec node node_modules/jest/bin/jest.js "$@"
