#!/bin/sh
# Write requirements/*.lock anew: names, versions, hashes. No address of any package index gets into them.
set -eu
uv=$1
cd "$(dirname "$0")/.."

compile() {
    "$uv" pip compile --quiet --upgrade --generate-hashes --no-emit-index-url --no-emit-find-links \
        --universal --python-version 3.11 --custom-compile-command "make lock" "$@"
}

compile pyproject.toml -o requirements/runtime.lock
# The development set keeps the versions that the service runs with.
compile pyproject.toml --group dev --constraint requirements/runtime.lock -o requirements/dev.lock
# The installer is pinned by hand: a newer one is a decision, not an accident.
printf 'uv==0.13.9\n' | compile - -o requirements/bootstrap.lock
# A judge with many packages of its own; it never meets those of the service.
printf 'case-utils==0.18.0\n' | compile - -o requirements/judges.lock

if grep -n '://' requirements/*.lock; then
    echo "lock: an address got into a lock file (above); mend it before committing" >&2
    exit 1
fi
echo "lock: done; 'make test' before committing"
