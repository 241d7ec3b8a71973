"""Become exiftool, after rights and resources were taken away: run as a program of its own, with the standard library.

`python -I -S opinion_child.py MEMORY CPU PROGRAM FILE` sets limits on itself, has Landlock leave it no more than
reading the file and running the program, and replaces itself by the program. It ends with the thread that started it.
"""

from __future__ import annotations

import os
import resource
import sys
from contextlib import suppress
from pathlib import Path

ARGUMENTS = (
    "-config", "", "-json", "-G1", "-n", "-api", "largefilesupport=1", "-charset", "filename=utf8", "--System:all",
)  # fmt: skip
_OPEN_FILES = 64


def main(arguments: list[str]) -> None:
    """Take the limits on and run; never returns where the program is there."""
    memory, cpu, program, file = arguments
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    from app.analysis.confinement import confine_program

    confine_program(file, program)
    with suppress(OSError, ValueError):  # of a user who has more processes already
        resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))
    for which, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
        (resource.RLIMIT_CPU, int(cpu)),
        (resource.RLIMIT_AS, int(memory)),
    ):
        resource.setrlimit(which, (most, most))
    os.execv(program, [program, *ARGUMENTS, file])  # noqa: S606 (the program that the settings name)


if __name__ == "__main__":
    main(sys.argv[1:])
