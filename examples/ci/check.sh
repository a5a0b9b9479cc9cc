#!/usr/bin/env bash
# The step of action.yml: installs mlpin where it has to and checks. Runs at the root of the repository, where the
# annotations' files are named from. Needs no more than bash 3.2, which macOS has.
set -euo pipefail

path=${INPUT_PATH:-.}
format=${INPUT_FORMAT:-github}
sarif=${INPUT_SARIF:-}
install=${INPUT_INSTALL:-}
read -r -d '' -a args <<<"${INPUT_ARGS:-}" || true

if [ -z "$install" ] && ! command -v mlpin >/dev/null; then
  install=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
fi

if [ -n "$install" ]; then
  # An environment of its own: what mlpin needs must not be found by --env as drift.
  home=$(cd "$(mktemp -d "${RUNNER_TEMP:-${TMPDIR:-/tmp}}/mlpin.XXXXXX")" && pwd)
  if command -v uv >/dev/null; then
    uv venv --quiet --python '>=3.11' "$home/venv" >&2
    uv pip install --quiet --python "$home/venv" -- "$install" >&2
  else
    python=$(command -v python3 || command -v python || true)
    if [ -z "$python" ] || ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
      echo "::error title=mlpin::mlpin needs uv, or Python 3.11 or newer, on the runner" >&2
      exit 2
    fi
    "$python" -m venv "$home/venv"
    PATH="$home/venv/bin:$home/venv/Scripts:$PATH" python -m pip install --quiet --disable-pip-version-check -- "$install" >&2
  fi
  PATH="$home/venv/bin:$home/venv/Scripts:$PATH"
fi

code=0
# ${args[@]+…}: an empty list is an error for `set -u` in bash before 4.4.
mlpin check ${args[@]+"${args[@]}"} --format "$format" -- "$path" || code=$?
if [ -n "$sarif" ] && [ "$code" -le 1 ]; then
  mlpin check ${args[@]+"${args[@]}"} --format sarif --output "$sarif" -- "$path" || [ $? -eq 1 ]
fi
if [ -n "${GITHUB_OUTPUT:-}" ]; then
  echo "exit-code=$code" >>"$GITHUB_OUTPUT"
fi
exit "$code"
