"""One way in for every kind of collection."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from app.errors import InvalidInputError
from app.intake.collections.entries import Collection, Entry, Problem, Sidecar
from app.intake.collections.files import shown
from app.intake.collections.folder import read_folder
from app.intake.collections.own_files import OwnFiles
from app.intake.defaults import with_defaults
from schemas.records.v1.source import SourceContext

if TYPE_CHECKING:
    from cryptography import x509

Kind = Literal["auto", "folder", "manifest", "auto-archiver", "proofmode"]
MAX_RELATED: Final = 1_000
"""A manifest or zip is related to so many media at most; beyond that it is an item that stands alone."""

_PROOF = re.compile(r"[0-9a-fA-F]{64}\.proof\.(?:csv|json)", re.ASCII)
"""A proof of ProofMode is named after the SHA-256 of its medium; `notes.proof.json` is somebody's notes."""


@contextmanager
def read_entries(  # noqa: PLR0913 - the ways of a command line to say what to read
    paths: Sequence[Path],
    source: SourceContext,
    *,
    kind: Kind = "auto",
    manifest: Path | None = None,
    recursive: bool = False,
    hidden: bool = False,
    avoid: Iterable[Path] = (),
    scratch: Path | None = None,
    roots: Sequence[x509.Certificate] = (),
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
        avoid: the archive's own folders and files: whatever lies in one of them, or leads there over a link, is left
            out of every kind of collection (`archive_data`).
        scratch: where a zip is unpacked; None for the system's folder of temporary files.
        roots: certificates of time-stamping authorities that are trusted, for tokens of auto-archiver.

    Raises:
        InvalidInputError: `one_collection_at_a_time`, `archive_data` when nothing else was named, and the readers'
            codes; nothing is taken then.
        OSError: a folder that cannot be read.
    """
    found, own = kind_of(paths, kind, manifest), OwnFiles(avoid)
    rest = own.refuse_named(paths, manifest)
    if found == "folder":
        collection = read_folder(rest, source, recursive=recursive, hidden=hidden, avoid=own.folders)
        if kind == "auto":
            collection = replace(collection, problems=tuple(_bundles_inside(rest, collection)))
        named = tuple(own.left_out(path) for path in paths if path not in rest)
        yield own.without(replace(collection, left_out=(*named, *collection.left_out)))
        return
    if len(paths) != 1:
        raise InvalidInputError("one_collection_at_a_time", f"name one {found} collection, not {len(paths)} paths")
    from app.intake.collections.manifest import read_manifest
    from app.intake.collections.opening import opened

    if manifest is not None:
        listed = _with_defaults(read_manifest(manifest, paths[0]), source)
        yield own.without(_with_given(listed, manifest, "manifest", source))
        return
    with opened(found.replace("-", "_"), paths[0], scratch=scratch, roots=roots) as collection:
        filled = _with_defaults(collection, source)
        if found == "manifest":
            filled = _with_given(filled, paths[0], "manifest", source)
        elif not paths[0].is_dir():  # its files were unpacked by us, links were refused: they are nobody's own
            yield _with_given(filled, paths[0], "container", source)
            return
        yield own.without(filled)


def _with_given(collection: Collection, path: Path, kind: str, source: SourceContext) -> Collection:
    """Keep what the collector handed over, a manifest or a zip, as an item of its own, and beside its media.

    It stands first: nothing that is stated of a medium is stated of it.
    """
    given = Entry(path, path.name, source)
    if len(collection.entries) > MAX_RELATED or any(one.path == path for one in collection.entries):
        return replace(collection, entries=(given, *(one for one in collection.entries if one.path != path)))
    beside = Sidecar(path, kind, "the collection was handed over with it")
    media = (replace(one, sidecars=(*one.sidecars, beside)) for one in collection.entries)
    return replace(collection, entries=(given, *media))


def _bundles_inside(paths: Sequence[Path], collection: Collection) -> Iterator[Problem]:
    """Folders with proofs that are taken as plain files, or not at all, so that nobody checks them."""
    inside = {path for each in collection.entries for path in (each.path, *(one.path for one in each.sidecars))}
    found = {path.parent for path in inside if _PROOF.fullmatch(path.name)}
    for below in [below for path in paths if path.is_dir() for below in path.iterdir()]:
        try:
            if below.is_dir() and not below.is_symlink() and _proofs_in(below):
                found.add(below)
        except OSError:  # it is not gone into; whoever does is told
            continue
    for path in sorted(found):
        detail = "it holds ProofMode proofs, which are checked only with --collection proofmode"
        yield Problem(str(path), "proofs_not_checked", detail)


def _proofs_in(folder: Path) -> bool:
    return any(_PROOF.fullmatch(one.name) for one in folder.iterdir())


def kind_of(paths: Sequence[Path], kind: Kind, manifest: Path | None) -> str:
    """How a collection is read, as `read_entries` says of `kind`.

    Raises:
        InvalidInputError: `bad_options`.
        OSError: a folder that cannot be read.
    """
    if kind != "auto":
        if manifest is not None and kind != "manifest":
            raise InvalidInputError("bad_options", "--manifest goes with --collection manifest")
        return kind
    if manifest is not None:
        return "manifest"
    if len(paths) == 1 and paths[0].is_dir() and _proofs_in(paths[0]):
        return "proofmode"
    return "folder"


def _with_defaults(collection: Collection, otherwise: SourceContext) -> Collection:
    """Where the collection is silent, what is said of all files counts (`app.intake.defaults`)."""
    if not otherwise.as_record():
        return collection

    def filled(entry: Entry) -> Entry:
        try:
            return replace(entry, source=with_defaults(entry.source, otherwise))
        except InvalidInputError as error:
            raise InvalidInputError(error.code, f"{shown(entry.name)}: {error.detail}") from None

    return replace(collection, entries=tuple(filled(entry) for entry in collection.entries))
