# Shared by the set-up steps. Each step is a script of its own that can be run alone, finds out itself whether it is done, and leaves nothing
# half-made under a final name: files are written aside and renamed, folders carry a .complete mark written last.
set -euo pipefail
DEPTHGRAD_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
. "$DEPTHGRAD_ROOT/scripts/setup/paths.sh"

TENSORFLOW_VERSION=2.18.1
JOBS=$(nproc)

fail() {
  echo "set-up: $*" >&2
  exit 1
}

complete() { [ -f "$1/.complete" ]; } # FOLDER
mark_complete() { touch "$1/.complete"; }

# An empty folder next to its final place, for make-then-rename; leftovers of an interrupted run are removed.
fresh_folder() { # FOLDER
  rm -rf "$1"
  mkdir -p "$1"
}

# Puts a finished folder in its place, replacing what was there.
put_in_place() { # MADE FINAL
  if [ -e "$2" ] || [ -L "$2" ]; then
    rm -rf "$2.old"
    mv -T "$2" "$2.old"
  fi
  mv -T "$1" "$2"
  rm -rf "$2.old"
}

sha256_is() { [ "$(sha256sum "$1" | cut -d' ' -f1)" = "$2" ]; } # FILE SHA256

# A python that only has pip, to download wheels with: it needs no ROS 2, so downloads can run while the rest is built.
pip_python() {
  local venv=$DG_CACHE/python/pip
  (
    flock 8 # several steps ask at once
    if ! complete "$venv"; then
      rm -rf "$venv"
      "$(host_python)" -m venv "$venv"
      mark_complete "$venv"
    fi
  ) 8>"$DG_CACHE/.pip.lock" >&2
  echo "$venv/bin/python"
}

# The interpreter virtual environments are made from: the wheels of ROS 2 are cp311; beside a sourced ROS 2 its own python3.
host_python() {
  if [ "$DG_ROS_KIND" = wheels ]; then echo python3.11; else echo python3; fi
}

# Prints the path of a wheel in the cache, fetching it when it is absent or its content is not what was published.
fetch_wheel() { # REQUIREMENT FILE SHA256 [PIP-OPTION...]
  local requirement=$1 name=$2 sha256=$3 wheel=$DG_CACHE/wheels/$2
  shift 3
  if [ -f "$wheel" ] && ! sha256_is "$wheel" "$sha256"; then
    echo "$name in the cache is damaged, fetching it again" >&2
    rm -f "$wheel"
  fi
  if [ ! -f "$wheel" ]; then
    local aside=$DG_CACHE/wheels/.partial-$name
    fresh_folder "$aside"
    "$(pip_python)" -m pip download --no-input --progress-bar off --no-deps -d "$aside" "$@" "$requirement" >&2 ||
      fail "$requirement could not be downloaded (the network, or the package index, does not answer). Run the same command again to resume."
    [ -f "$aside/$name" ] || fail "$requirement came as $(ls "$aside") where $name was expected"
    sha256_is "$aside/$name" "$sha256" || fail "$name does not have the sha256 $sha256: the download is damaged or was replaced. Run again."
    mv "$aside/$name" "$wheel"
    rm -rf "$aside"
  fi
  echo "$wheel"
}

# Unpacks the members of a wheel that match the patterns (python's zipfile: unzip is not on every machine).
unpack_wheel() { # WHEEL FOLDER PATTERN...
  "$(host_python)" - "$@" <<'PY'
import fnmatch, sys, zipfile
wheel, folder, *patterns = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive:
    archive.extractall(folder, [n for n in archive.namelist() if any(fnmatch.fnmatch(n, p) for p in patterns)])
PY
}

# CUDA's libtensorflow where an NVIDIA driver answers. It runs on the CPU too, but is three times the download.
tensorflow_kind() {
  if command -v nvidia-smi >/dev/null && timeout 10 nvidia-smi -L >/dev/null 2>&1; then echo cuda; else echo cpu; fi
}
