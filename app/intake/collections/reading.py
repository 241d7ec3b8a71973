"""One way in for every kind of collection."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Literal

from app.errors import InvalidInputError
from app.intake.collections.entries import Collection, Entry
from app.intake.collections.folder import read_folder
from app.intake.statements import parse_source
from schemas.records.v1.source import SourceContext

Kind = Literal["auto", "folder", "manifest", "auto-archiver", "proofmode"]
_PROOFS = (".proof.csv", ".proof.json")


@contextmanager
def read_entries(
    paths: Sequence[Path],
    source: SourceContext,
    *,
    kind: Kind = "auto",
    manifest: Path | None = None,
    recursive: bool = False,
    hidden: bool = False,
    avoid: Iterable[Path] = (),
    scratch: Path | None = None,
) -> Iterator[Collection]:
    """Read a collection: what is to be deposited, with what is stated of each file. Its files are there until the end.

    Args:
        paths: files and folders; one alone for everything but plain folders.
        source: what is stated of every file where the collection itself says nothing.
        kind: how to read it; `auto` is a manifest where one is given, ProofMode for a folder with proofs directly
            inside, and else plain files.
        manifest: a table (CSV or JSON) about the files of the one folder in `paths`.
        recursive: of plain folders: go into those below.
        hidden: likewise: take hidden files too.
        avoid: likewise: folders that are never gone into.
        scratch: where a zip is unpacked; None for the system's folder of temporary files.

    Raises:
        InvalidInputError: `one_collection_at_a_time`, and the readers' codes; nothing is taken then.
        OSError: a folder that cannot be read.
    """
    found = _kind_of(paths, kind, manifest)
    if found == "folder":
        yield read_folder(paths, source, recursive=recursive, hidden=hidden, avoid=avoid)
        return
    if len(paths) != 1:
        raise InvalidInputError("one_collection_at_a_time", f"name one {found} collection, not {len(paths)} paths")
    from app.intake.collections.manifest import read_manifest
    from app.intake.collections.opening import opened

    if manifest is not None:
        yield _with_defaults(read_manifest(manifest, paths[0]), source)
        return
    with opened(found.replace("-", "_"), paths[0], scratch=scratch) as collection:
        yield _with_defaults(collection, source)


def _kind_of(paths: Sequence[Path], kind: Kind, manifest: Path | None) -> str:
    if kind != "auto":
        if manifest is not None and kind != "manifest":
            raise InvalidInputError("bad_options", "--manifest goes with --collection manifest")
        return kind
    if manifest is not None:
        return "manifest"
    if len(paths) == 1 and paths[0].is_dir() and any(one.name.endswith(_PROOFS) for one in paths[0].iterdir()):
        return "proofmode"
    return "folder"


def _with_defaults(collection: Collection, otherwise: SourceContext) -> Collection:
    """Where the collection is silent, what is said of all files counts."""
    stated = otherwise.as_record()
    if not stated:
        return collection

    def filled(entry: Entry) -> Entry:
        return replace(entry, source=parse_source(stated | entry.source.as_record()))

    return replace(collection, entries=tuple(filled(entry) for entry in collection.entries))
