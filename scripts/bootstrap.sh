#!/bin/sh
# Make .venv hold exactly what requirements/dev.lock names, with every hash checked.
#
# Needs: Python 3.11 or newer. Where the venv module is missing it is installed through apt-get if
# this user may. A stamp remembers the lock file, so a second run costs nothing.
#
#   scripts/bootstrap.sh            make or refresh .venv
#   PYTHON=/path/to/python3.12 ...  choose the interpreter
#   CATENA_NO_UV=1 ...              install with pip alone
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
venv="$root/.venv"
lock="$root/requirements/dev.lock"
tools="$root/requirements/bootstrap.lock"

say() { printf 'setup: %s\n' "$*"; }
fail() {
    printf 'setup: FAILED: %s\n' "$1" >&2
    shift
    for line in "$@"; do printf '       %s\n' "$line" >&2; done
    exit 3
}

new_enough() {
    command -v "$1" >/dev/null 2>&1 &&
        "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        new_enough "$PYTHON" || fail "PYTHON=$PYTHON is not a Python 3.11 or newer"
        printf '%s\n' "$PYTHON"
        return
    fi
    for candidate in python3 python3.11 python3.12 python3.13 python3.14; do
        if new_enough "$candidate"; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    found=$(python3 --version 2>&1 || true)
    fail "Catena needs Python 3.11 or newer; python3 here says: ${found:-nothing}" \
        "On Debian 12 or Ubuntu 24.04: apt-get install python3 python3-venv" \
        "Or name another interpreter: make setup PYTHON=/path/to/python3.12"
}

# The venv module can be there while ensurepip, a package of its own on Debian, is not.
has_venv() { "$1" -c 'import venv, ensurepip' >/dev/null 2>&1; }

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
        sudo -n "$@"
    else
        return 1
    fi
}

install_venv_module() {
    command -v apt-get >/dev/null 2>&1 || return 1
    version=$("$1" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
    say "the venv module is missing; installing $version with apt-get"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q >/dev/null || return 1
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$version" >/dev/null ||
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends python3-venv >/dev/null
}

make_venv() {
    if [ -x "$venv/bin/python" ] && new_enough "$venv/bin/python" && "$venv/bin/python" -c 'import pip' 2>/dev/null; then
        return
    fi
    if ! has_venv "$python"; then
        install_venv_module "$python" || true
        has_venv "$python" || fail "this Python has no venv module, and it could not be installed here" \
            "On Debian or Ubuntu, as root: apt-get install python3-venv"
    fi
    say "making .venv with $("$python" --version)"
    "$python" -m venv --clear "$venv" || fail "python -m venv could not make $venv (disk full? no permission?)"
}

install_with_uv() {
    [ -z "${CATENA_NO_UV:-}" ] || return 1
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$tools" || return 1
    "$venv/bin/uv" pip sync --quiet --python "$venv/bin/python" --require-hashes "$lock"
}

install_with_pip() {
    say "installing with pip alone (slower, the same files and hashes)"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$lock"
}

# Catena itself: the checkout goes on the path, and `catena` becomes a command. No build step.
link_checkout() {
    site=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    printf '%s\n' "$root" >"$site/catena_checkout.pth"
    cat >"$venv/bin/catena" <<EOF
#!/bin/sh
exec "$venv/bin/python" -m app.cli "\$@"
EOF
    chmod +x "$venv/bin/catena"
}

# Without compiled files every command spends two seconds on compiling its libraries again, where Python may not write
# them beside the sources while it runs (PYTHONDONTWRITEBYTECODE). A file of a package that is no valid Python is no fault.
compile_packages() {
    "$venv/bin/python" -m compileall -q -j 0 "$site" "$root/app" "$root/evidence_store" "$root/schemas" >/dev/null 2>&1 || true
}

[ -f "$lock" ] || fail "requirements/dev.lock is missing: the checkout is incomplete"

stamp="$venv/.catena-stamp"
# The path is part of the stamp: a checkout that was moved or copied needs its launcher made again.
wanted=$({ printf '%s\n' "$root"; cat "$lock" "$tools" "$0"; } | cksum)
if [ -x "$venv/bin/python" ] && [ -x "$venv/bin/catena" ] && [ "$(cat "$stamp" 2>/dev/null || true)" = "$wanted" ]; then
    exit 0
fi

python=$(find_python)
make_venv
say "installing the packages of requirements/dev.lock into .venv, hashes checked (about a minute)"
install_with_uv || install_with_pip ||
    fail "the packages could not be installed" \
        "Is a Python package index reachable from here? A mirror is set with PIP_INDEX_URL and UV_DEFAULT_INDEX." \
        "A hash mismatch means that the index served other bytes than the lock file names: do not go round it."
link_checkout
compile_packages
printf '%s\n' "$wanted" >"$stamp"
say "done: .venv is ready ($("$venv/bin/python" --version))"
