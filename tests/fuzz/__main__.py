"""Fuzz the parsers with atheris: `python -m tests.fuzz --all --seconds 60`, or `python -m tests.fuzz NAME ...`.

The harnesses are imported once, instrumented, and each runs in a forked process of its own: what one does to memory,
time or the interpreter, no other sees. A fault is printed with its traceback and the file that shows it; the exit code
is then 1. `--corpus DIR` keeps what was found interesting and begins with it the next time.
"""

from __future__ import annotations

import argparse
import atexit
import io
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import redirect_stderr
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

MEMORY_MIB: Final = 1500
SECONDS_PER_INPUT: Final = 20
SLOWER: Final = 20
"""Of so many inputs a slow harness tries one."""
_DONE: Final = re.compile(r"Done (\d+) runs")
_LAST: Final = re.compile(r"^#(\d+)\t", re.MULTILINE)
_COVERED: Final = re.compile(r"cov: (\d+)")


@dataclass(frozen=True)
class Outcome:
    """How the run of one harness ended.

    Attributes:
        executions: inputs that were tried.
        coverage: edges of our code that were reached.
        fault: what went wrong, "" for nothing.
        artifact: the file that shows it.
    """

    name: str
    executions: int
    seconds: float
    coverage: int
    fault: str = ""
    artifact: str = ""


def main(argv: Sequence[str] | None = None) -> int:
    """Run harnesses; 0 when no fault was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Fuzz the parsers with atheris.")
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--all", action="store_true", help="every harness")
    parser.add_argument("--seconds", type=int, default=0, help="for each harness; 0 for no limit")
    parser.add_argument("--runs", type=int, default=-1, help="inputs for each harness; -1 for no limit")
    parser.add_argument("--corpus", type=Path, help="folder that keeps interesting inputs, one folder a harness")
    parser.add_argument("--json", action="store_true", help="one JSON line a harness")
    options = parser.parse_args(argv)
    harnesses = _instrumented()
    names = list(harnesses) if options.all else options.names
    if not names or set(names) - harnesses.keys():
        parser.error(f"give --all, or some of: {' '.join(harnesses)}")
    if options.seconds == 0 and options.runs < 0:
        options.seconds = 60
    corpus = options.corpus or Path(tempfile.mkdtemp(prefix="catena-corpus-"))
    well = True
    for name in names:
        outcome = _fuzz(name, harnesses[name], corpus / name, options)
        well = well and not outcome.fault
        print(json.dumps(asdict(outcome)) if options.json else _line(outcome), flush=True)  # noqa: T201
    return 0 if well else 1


def _instrumented() -> dict[str, Any]:
    import atheris  # type: ignore[import-untyped]

    with redirect_stderr(io.StringIO()), atheris.instrument_imports(include=["evidence_store"]):
        from tests.fuzz.harnesses import HARNESSES
    return HARNESSES


def _fuzz(name: str, harness: Any, folder: Path, options: argparse.Namespace) -> Outcome:  # noqa: ANN401 - instrumented
    """Run one harness in a process of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    seeds = list(harness.seeds())
    for number, seed in enumerate(seeds):
        (folder / f"seed-{number}").write_bytes(seed)
    words = folder.with_suffix(".dict")
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in harness.words), encoding="ascii")
    told = folder.with_suffix(".log")
    start = time.monotonic()
    pid = os.fork()
    if pid == 0:
        atexit._clear()  # what the parent made is the parent's to remove
        with told.open("wb") as stream:
            os.dup2(stream.fileno(), 1)
            os.dup2(stream.fileno(), 2)
        _begin(harness, [str(folder)], _arguments(harness, seeds, words, told, options))
    _, status = os.waitpid(pid, 0)
    return _read(name, os.waitstatus_to_exitcode(status), told, time.monotonic() - start)


def _arguments(
    harness: Any,  # noqa: ANN401 - instrumented
    seeds: list[bytes],
    words: Path,
    told: Path,
    options: argparse.Namespace,
) -> list[str]:
    runs = max(options.runs // SLOWER, len(seeds) + 1) if harness.slow and options.runs > 0 else options.runs
    return [
        *([f"-dict={words}"] if words.stat().st_size else []),
        f"-runs={runs}",
        f"-max_total_time={options.seconds}",
        f"-max_len={max(4096, 2 * max(map(len, seeds)))}",
        f"-timeout={SECONDS_PER_INPUT}",
        f"-rss_limit_mb={MEMORY_MIB}",
        f"-artifact_prefix={told.with_suffix('')}.",
        "-print_final_stats=1",
    ]


def _begin(harness: Any, folders: list[str], arguments: list[str]) -> None:  # noqa: ANN401 - instrumented
    """Never returns: libFuzzer ends the process."""
    import atheris

    from evidence_store.errors import EvidenceStoreError

    def one(data: bytes) -> None:
        try:
            harness.run(data)
        except EvidenceStoreError:
            return

    atheris.Setup(["fuzz", *arguments, *folders], one)
    atheris.Fuzz()
    os._exit(0)


def _read(name: str, code: int, told: Path, seconds: float) -> Outcome:
    text = told.read_text(encoding="utf-8", errors="replace")
    counts = _DONE.findall(text) or _LAST.findall(text) or ["0"]
    covered = max(map(int, _COVERED.findall(text) or ["0"]))
    fault, artifact = "", ""
    if code != 0:
        begin = text.find("Uncaught Python exception")
        fault = text[begin : begin + 3000] if begin >= 0 else text[-2000:]
        artifact = next(iter(re.findall(r"Test unit written to (\S+)", text)), "")
    return Outcome(name, int(counts[-1]), round(seconds, 1), covered, fault, artifact)


def _line(outcome: Outcome) -> str:
    end = f"FAULT {outcome.artifact}\n{outcome.fault}" if outcome.fault else "no fault"
    return f"{outcome.name:16} {outcome.executions:>10} inputs {outcome.seconds:>7} s  cov {outcome.coverage:>5}  {end}"


def _escaped(word: bytes) -> str:
    return "".join(chr(byte) if 0x20 <= byte < 0x7F and byte not in b'"\\' else f"\\x{byte:02x}" for byte in word)


if __name__ == "__main__":
    sys.exit(main())
