# For the peers' scripts: a package of the index in a cached virtual environment of its own.
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/setup/common.sh"

peer_python() { # NAME VERSION MORE...: prints the path of the python that has NAME==VERSION and MORE
  local name=$1 version=$2 venv=$DG_CACHE/python/$1-$2
  shift 2
  mkdir -p "$DG_CACHE/python"
  exec 7>"$DG_CACHE/.$name.lock"
  flock 7 # two benches at once
  if ! complete "$venv"; then
    rm -rf "$venv" # a virtual environment cannot be renamed: it is made in place, and the mark is written last
    "$(host_python)" -m venv "$venv" >&2
    "$venv/bin/pip" install --no-input --progress-bar off --no-cache-dir "$name==$version" "$@" >&2 ||
      fail "$name $version could not be installed (the network, or the package index, does not answer). Run the same command again."
    mark_complete "$venv"
  fi
  echo "$venv/bin/python"
}
