"""The archive's own files, which are never evidence: its passphrase, keys, database and stored bytes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from app.intake.collections.entries import Collection, Entry, LeftOut
from app.intake.collections.files import refuse, shown

CODE = "archive_data"
WHY = "the archive's own files are not evidence"


class OwnFiles:
    """Folders and files of the archive itself, and what leads into them."""

    def __init__(self, avoid: Iterable[Path]) -> None:
        """Name the folders and files; one that is not there is no error."""
        self.folders = [path.resolve() for path in avoid]
        self._parents: dict[Path, Path] = {}

    def holds(self, path: Path) -> bool:
        """Whether a path is one of them, lies in one of them, or leads there over links."""
        place = self._place(path)
        return any(place.is_relative_to(own) for own in self.folders)

    def refuse_named(self, paths: Sequence[Path], manifest: Path | None) -> list[Path]:
        """Of the paths that a person named, those that are not the archive's own.

        Raises:
            InvalidInputError: `archive_data` when none is left, or when the manifest is the archive's own.
        """
        rest = [path for path in paths if not self.holds(path)]
        named = manifest if manifest is not None and self.holds(manifest) else None
        if named is None and paths and not rest:
            named = paths[0]
        if named is not None:
            refuse(CODE, f"{shown(str(named))}: {WHY}")
        return rest

    def left_out(self, path: Path) -> LeftOut:
        """How a path of the archive itself is told."""
        return LeftOut(path, CODE, WHY)

    def without(self, collection: Collection) -> Collection:
        """A collection without these files; each is told as left out.

        A sidecar whose medium is left out becomes an entry by itself, unless it belongs to another medium too.
        """
        out: dict[Path, LeftOut] = {}
        kept: list[Entry] = []
        orphans: dict[Path, Entry] = {}
        for entry in collection.entries:
            beside = tuple(one for one in entry.sidecars if not self.holds(one.path))
            out |= {one.path: self.left_out(one.path) for one in entry.sidecars if one not in beside}
            if self.holds(entry.path):
                out[entry.path] = self.left_out(entry.path)
                orphans |= {one.path: Entry(one.path, one.path.name, entry.source) for one in beside}
            else:
                kept.append(entry if len(beside) == len(entry.sidecars) else replace(entry, sidecars=beside))
        if not out:
            return collection
        held = {path for entry in kept for path in (entry.path, *(one.path for one in entry.sidecars))}
        kept += [entry for path, entry in orphans.items() if path not in held]
        return replace(collection, entries=tuple(kept), left_out=(*collection.left_out, *out.values()))

    def _place(self, path: Path) -> Path:
        """Where a path leads; the folder of many files is resolved once."""
        try:
            if path.is_symlink() or path.name in {"", ".."}:
                return path.resolve()
            if path.parent not in self._parents:
                self._parents[path.parent] = path.parent.resolve()
            return self._parents[path.parent] / path.name
        except (OSError, RuntimeError):  # a circle of links leads nowhere, and is told when it is opened
            return path.absolute()
