"""Foreign judges: programs and files that nobody here wrote and whose verdict the tests ask for.

`called_by_tests()` reads from the tests which of them are called, so nothing is installed that no test uses;
`install()` fetches what is missing through apt-get where this user may, without asking anything.
A judge that is a Python program with packages of its own gets a folder of its own, `.judges`, from a hash-locked list.
Run `python -m scripts.judges` to see them, `--install` to install.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
QUOTED: Final = re.compile(r"""["']([\w.+-]+)["']""")
PACKAGES: Final = {
    "chromium": "chromium",
    "curl": "curl",
    "exiftool": "libimage-exiftool-perl",
    "ffprobe": "ffmpeg",
    "go": "golang-go",
    "javac": "default-jdk-headless",
    "java": "default-jdk-headless",  # not the JRE alone: the tests run Java source files
    "node": "nodejs",
    "npm": "npm",  # fetches tus-js-client into a test's folder
    "openssl": "openssl",
    "sha256sum": "coreutils",
    "sha512sum": "coreutils",
    "softhsm2-util": "softhsm2",
    "unzip": "unzip",
    "xmllint": "libxml2-utils",
}
"""Debian's package of each program that may be called as a judge."""
FILES: Final = {
    "bcpkix.jar": ("/usr/share/java/bcpkix.jar", "libbcpkix-java"),
    "bcprov.jar": ("/usr/share/java/bcprov.jar", "libbcprov-java"),
    "bcutil.jar": ("/usr/share/java/bcutil.jar", "libbcutil-java"),
    "libsofthsm2.so": ("/usr/lib/softhsm/libsofthsm2.so", "softhsm2"),
    "sumdb.go": ("/usr/share/gocode/src/golang.org/x/mod/sumdb/tlog/tlog.go", "golang-golang-x-mod-dev"),
}
"""Judges that are files and not programs: where Debian puts each, and the package that brings it."""
LOCKS: Final = {"case_validate": "requirements/judges.lock"}
"""Judges that are Python programs with packages of their own: the lock file from which `.judges` is made."""
OWN_VENV: Final = ROOT / ".judges"
APT_QUIET: Final = (
    "-y",
    "-q",
    "--no-install-recommends",
    "-o",
    "Acquire::Retries=1",
    "-o",
    "Acquire::http::Timeout=30",
)
APT_SECONDS: Final = 600


def called_by_tests(tests: Path = ROOT / "tests") -> list[str]:
    """Names of the known programs that tests name, sorted; unit tests call no judges."""
    files = [path for path in tests.rglob("*.py") if "unit" not in path.relative_to(tests).parts]
    named = {name for path in files for name in QUOTED.findall(path.read_text(encoding="utf-8"))}
    return sorted(named & (PACKAGES.keys() | FILES.keys() | LOCKS.keys()))


def missing(names: list[str]) -> list[str]:
    """Those of `names` that are neither on PATH nor where Debian or `.judges` puts them."""
    return [name for name in names if find(name) is None]


def find(name: str) -> str | None:
    """The path of a judge, program or file; None when it is not here."""
    if name in FILES:
        path = FILES[name][0]
        return path if Path(path).is_file() else None
    own = OWN_VENV / "bin" / name
    return str(own) if name in LOCKS and own.is_file() else shutil.which(name)


def packages_for(names: list[str]) -> list[str]:
    """Debian's packages of these judges; Python programs have none."""
    return sorted({FILES[name][1] if name in FILES else PACKAGES[name] for name in names if name not in LOCKS})


def _install_python(lock: str) -> str | None:
    """Make `.judges` from a lock file, hashes checked; the reason in words when it failed, else None."""
    pip = OWN_VENV / "bin" / "python"
    for command in (
        [sys.executable, "-m", "venv", str(OWN_VENV)],
        [str(pip), "-m", "pip", "install", "--quiet", "--require-hashes", "--only-binary", ":all:", "-r", lock],
    ):
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
        if done.returncode:
            return f"{lock} could not be installed: {(done.stderr.strip().splitlines() or ['no reason given'])[-1]}"
    return None


def _as_root() -> list[str] | None:
    """What to put before a command so that it runs as root without a question; None when that may not be."""
    if os.geteuid() == 0:
        return []
    if (
        shutil.which("sudo")
        and subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False).returncode == 0
    ):
        return ["sudo", "-n"]
    return None


def _apt_get(prefix: list[str], *arguments: str) -> str | None:
    """Run apt-get; the reason in words when it failed, else None."""
    command = [*prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", *arguments]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=APT_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return f"apt-get {arguments[0]} did not end within {APT_SECONDS} seconds"
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        return f"apt-get {arguments[0]} failed: {last}"
    return None


def install(names: list[str]) -> str:
    """Install the packages of `names`.

    Returns:
        One line in words: what was done, or why nothing was.
    """
    failures = [_install_python(lock) for lock in sorted({LOCKS[name] for name in names if name in LOCKS})]
    told = [failure or "made .judges" for failure in failures]
    packages = packages_for(names)
    return "; ".join([*told, *([_install_packages(packages)] if packages else [])])


def _install_packages(packages: list[str]) -> str:
    if shutil.which("apt-get") is None:
        return f"no apt-get here; install by hand what these packages hold: {' '.join(packages)}"
    prefix = _as_root()
    if prefix is None:
        return f"this user may not install packages; ask for: apt-get install {' '.join(packages)}"
    failure = _apt_get(prefix, "update", "-q") or _apt_get(prefix, "install", *APT_QUIET, *packages)
    return failure or f"installed {' '.join(packages)}"


def report(*, may_install: bool) -> list[str]:
    """Print which judges are here, install the missing ones if allowed, and return those still missing."""
    names = called_by_tests()
    absent = missing(names)
    print(f"judges: the tests call {len(names)}: {', '.join(names) or 'none'}", flush=True)
    if absent and may_install:
        print(f"judges: missing {', '.join(absent)}: {install(absent)}", flush=True)
        absent = missing(names)
    for name in absent:
        where = LOCKS.get(name) or f"Debian package {packages_for([name])[0]}"
        print(f"judges: MISSING {name} ({where}): its tests skip, with CI=true they fail")
    return absent


def main() -> int:
    """Command line: exit code 0 when every judge is here, else 1."""
    parser = argparse.ArgumentParser(description="Show or install the foreign programs that the tests call.")
    parser.add_argument("--install", action="store_true", help="install what is missing, where allowed")
    return 1 if report(may_install=parser.parse_args().install) else 0


if __name__ == "__main__":
    raise SystemExit(main())
