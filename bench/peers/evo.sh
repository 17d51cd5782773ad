#!/usr/bin/env bash
# evo (Grupp, 2017) for npm run bench:odometry; prints the path of its python.
. "$(dirname "${BASH_SOURCE[0]}")/venv.sh"
peer_python evo 1.38.1
