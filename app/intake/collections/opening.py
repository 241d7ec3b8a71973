"""Opening a collection of any kind; what has to be unpacked is gone again at the end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from cryptography import x509

from app.intake.collections.auto_archiver import read_auto_archiver
from app.intake.collections.entries import Collection, Unpacked
from app.intake.collections.files import refuse
from app.intake.collections.manifest import read_manifest
from app.intake.collections.proofmode import read_proofmode
from app.intake.collections.unpacking import folder_to_unpack
from app.intake.collections.unzipping import unzip

KINDS: Final = ("manifest", "auto_archiver", "proofmode")


@contextmanager
def opened(
    kind: str, path: Path, *, roots: Sequence[x509.Certificate] = (), scratch: Path | None = None
) -> Iterator[Collection]:
    """Read a collection; its files are there as long as it is open.

    Args:
        kind: one of `KINDS`.
        path: a manifest; a folder; for ProofMode also a zip.
        roots: certificates of time-stamping authorities that are trusted, for tokens of auto-archiver.
        scratch: where to unzip; None for the system's folder of temporary files.

    Raises:
        InvalidInputError: `unknown_collection_kind`, and the reader's codes.
    """
    if kind not in KINDS:
        refuse("unknown_collection_kind", f"a collection is one of {', '.join(KINDS)}")
    if kind == "manifest":
        yield read_manifest(path)
    elif kind == "auto_archiver":
        yield read_auto_archiver(path, roots)
    elif path.is_dir():
        yield read_proofmode(path)
    else:
        with folder_to_unpack(scratch) as folder:
            unzip(path, folder)
            yield replace(read_proofmode(folder), unpacked=Unpacked(folder, path))
