"""What every harness is made of."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from evidence_store.errors import EvidenceStoreError
from tests.witness_logs import Log

BEGIN: Final = b"-----BEGIN CERTIFICATE-----\n"
END: Final = b"-----END CERTIFICATE-----\n"


@dataclass(frozen=True)
class Harness:
    """A parser to be fuzzed.

    Attributes:
        run: reads the bytes; only `EvidenceStoreError` may escape.
        seeds: good input, and some that is nearly good.
        words: what the format's language is made of.
        slow: takes milliseconds rather than microseconds.
    """

    run: Callable[[bytes], object]
    seeds: Callable[[], Iterable[bytes]]
    words: tuple[bytes, ...] = ()
    slow: bool = False


def same(found: bytes, data: bytes) -> None:
    """A format with one form: what was accepted is what would be written."""
    if found != data:
        raise AssertionError(f"accepted, but written otherwise: {found[:200]!r}")


@cache
def scratch() -> Path:
    """Where files are put that a parser reads."""
    folder = Path(tempfile.mkdtemp(prefix="catena-fuzz-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def text_of(data: bytes) -> str:
    """What a reader of a text file hands on."""
    return data.decode("utf-8", "replace")


def coded(read: Callable[[bytes], object], data: bytes) -> object:
    """What a reader makes of the bytes; None when it refuses them with a code."""
    try:
        return read(data)
    except EvidenceStoreError:
        return None


@cache
def log() -> Log:
    """A log of 200 entries."""
    return Log(entries=200)


JSON: Final = (
    b'{"',
    b'":',
    b'","',
    b"[]",
    b"null",
    b"true",
    b"\\u0000",
    b"\\ud800",
    b"1e5",
    b"-0",
    b"9007199254740993",
)
DER: Final = (
    b"\x30\x80",
    b"\x30\x82",
    b"\x06\x09",
    b"\x02\x01",
    b"\x04\x82",
    b"\x31",
    b"\xa0",
    b"\xa1",
    b"\x84\xff\xff\xff\xff",
)
NOTE: Final = (
    b"\n\n",
    "\N{EM DASH} ".encode(),
    b"+",
    b"\n",
    b"AAAA",
    b"=",
    b"\r",
    b"\xc2\xa0",
    b"18446744073709551616",
)
PEM: Final = (BEGIN, END, b"#", b"\n")
