"""A plain folder as a collection: every file in a fixed order, sidecars beside their media, nothing left out unsaid.

1. The order is that of the paths, so that two runs over the same folder do the same.
2. No link leads out of the folder, and none is followed into another folder (it may lead in a circle); a link to a file
   inside it is taken like that file.
3. What is left out (hidden files, droppings of operating systems, links, devices) is listed with a reason.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from app.intake.collections import own_files
from app.intake.collections.entries import Collection, Entry, LeftOut
from app.intake.collections.sidecars import paired
from schemas.records.v1.source import SourceContext

SYSTEM_FILES = frozenset({".ds_store", "thumbs.db", "ehthumbs.db", "desktop.ini", ".directory", ".localized"})
SYSTEM_FOLDERS = frozenset(
    {".spotlight-v100", ".trashes", ".fseventsd", "__macosx", "$recycle.bin", "system volume information", "lost+found"}
)


def read_folder(
    paths: Iterable[Path],
    source: SourceContext,
    *,
    recursive: bool = False,
    hidden: bool = False,
    avoid: Iterable[Path] = (),
) -> Collection:
    """Read files and folders as they were named.

    Args:
        paths: files, which are taken whatever they are called, and folders.
        source: stated of every file.
        recursive: go into folders below those that are named.
        hidden: take hidden files too; what operating systems drop is never taken from a folder.
        avoid: folders that are never gone into, such as the archive's own data.

    Raises:
        OSError: a folder that cannot be read; leaving it out would be silence.
    """
    listing = _Listing(recursive=recursive, hidden=hidden, avoid=[path.resolve() for path in avoid])
    for path in paths:
        if path.is_dir():
            listing.add_folder(path)
        else:
            listing.add(path)
    return Collection(tuple(_entries(listing.files, source)), left_out=tuple(listing.left_out))


def _entries(files: Iterable[Path], source: SourceContext) -> Iterator[Entry]:
    """Media with their sidecars: files that lie in one folder are looked at together."""
    by_folder: dict[Path, dict[Path, None]] = defaultdict(dict)
    for path in files:
        by_folder[path.parent][path] = None  # a file that is named twice is taken once
    for inside in by_folder.values():
        for path, sidecars in paired(inside):
            yield Entry(path, path.name, source, sidecars=sidecars)


class _Listing:
    """The files of some folders, and what is left out of them."""

    def __init__(self, *, recursive: bool, hidden: bool, avoid: list[Path]) -> None:
        self.files: list[Path] = []
        self.left_out: list[LeftOut] = []
        self._recursive = recursive
        self._hidden = hidden
        self._avoid = avoid

    def add(self, path: Path) -> None:
        """A file by its own name."""
        self.files.append(path)

    def add_folder(self, folder: Path) -> None:
        """What a folder holds."""
        root, before = folder.resolve(), len(self.files)
        waiting = [folder]
        while waiting:
            with os.scandir(waiting.pop()) as entries:
                for entry in sorted(entries, key=lambda one: one.name):
                    self._look_at(entry, root, waiting.append)
        self.files[before:] = sorted(self.files[before:])

    def _look_at(self, entry: os.DirEntry[str], root: Path, go_into: Callable[[Path], None]) -> None:
        path, is_folder = Path(entry.path), entry.is_dir(follow_symlinks=False)
        if self._is_unwanted(path, is_folder=is_folder):
            return
        if entry.is_symlink():
            self._look_at_link(path, root)
        elif entry.is_file(follow_symlinks=False):
            self.files.append(path)
        elif not is_folder:
            self._leave(path, "not_a_file", "it is neither a file nor a folder")
        elif path.resolve() in self._avoid:
            self._leave(path, own_files.CODE, own_files.WHY)
        elif self._recursive:
            go_into(path)
        else:
            self._leave(path, "folder", "--recursive goes into it")

    def _look_at_link(self, path: Path, root: Path) -> None:
        try:
            target = path.resolve(strict=True)
        except (OSError, RuntimeError):  # RuntimeError: a circle of links, before Python 3.13
            self._leave(path, "link_broken", "it is a link to nothing")
            return
        if not target.is_relative_to(root):
            self._leave(path, "link_outside", "it is a link that leads out of the folder")
        elif not target.is_file():
            self._leave(path, "link_to_folder", "it is a link to something that is no file")
        else:
            self.files.append(path)

    def _is_unwanted(self, path: Path, *, is_folder: bool) -> bool:
        name = path.name.lower()
        if name in (SYSTEM_FOLDERS if is_folder else SYSTEM_FILES):
            self._leave(path, "system_file", "an operating system keeps its own notes in it")
            return True
        if name.startswith(".") and not name.startswith("..") and not self._hidden:
            self._leave(path, "hidden", "it is hidden; --hidden takes such files too")
            return True
        return False

    def _leave(self, path: Path, code: str, detail: str) -> None:
        self.left_out.append(LeftOut(path, code, detail))


def size_of(path: Path) -> int:
    """Bytes of a file, for a forecast; 0 when it cannot be told."""
    try:
        return os.stat(path).st_size  # noqa: PTH116 - a hundred thousand of these
    except OSError:
        return 0
