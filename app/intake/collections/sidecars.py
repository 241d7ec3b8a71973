"""Which files of one folder belong to which, by their names alone: pure.

1. `x.jpg.xmp` belongs to `x.jpg`: it is named after the whole file name.
2. `x.xmp` belongs to each medium `x.*` of the same folder; where there are several, the basis says so.
3. Names are compared without regard to case: a camera writes `DJI_0001.SRT`, and somebody copies it as `dji_0001.srt`.
4. Subtitles (`.srt`) belong to videos only; a file that belongs to nothing is a medium of its own.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path, PurePath

from app.intake.collections.entries import Sidecar

KINDS = {".srt": "srt", ".xmp": "xmp", ".json": "json", ".c2pa": "c2pa"}
VIDEO = re.compile(
    r"\.(3gp|360|avi|insv|lrf|lrv|m2ts|m4v|mkv|mov|mp4|mpeg|mpg|mts|mxf|ogv|ts|webm|wmv)", re.ASCII | re.IGNORECASE
)
WHOLE_NAME = "named after the whole file name"
STEM = "named after the file name without its ending"


def sidecar_kind(name: str) -> str | None:
    """What a file would be as a sidecar, by its ending; None when it cannot be one."""
    return KINDS.get(PurePath(name).suffix.lower())


def paired(files: Iterable[Path]) -> list[tuple[Path, tuple[Sidecar, ...]]]:
    """The media among the files of one folder, each with its sidecars.

    Args:
        files: of one folder, in the order that is wanted.

    Returns:
        Media in that order. A sidecar stands beside each medium that it may belong to; one that belongs to none is a
        medium itself.
    """
    given = list(files)
    media = [path for path in given if sidecar_kind(path.name) is None]
    by_name, by_stem = _index(media)
    sidecars: dict[Path, list[Sidecar]] = defaultdict(list)
    alone = set()
    for path in given:
        kind = sidecar_kind(path.name)
        if kind is None:
            continue
        owners, basis = _owners(path, kind, by_name, by_stem)
        for owner in owners:
            sidecars[owner].append(Sidecar(path, kind, basis))
        if not owners:
            alone.add(path)
    return [(path, tuple(sidecars[path])) for path in given if path in alone or sidecar_kind(path.name) is None]


def _index(media: list[Path]) -> tuple[dict[str, list[Path]], dict[str, list[Path]]]:
    by_name: dict[str, list[Path]] = defaultdict(list)
    by_stem: dict[str, list[Path]] = defaultdict(list)
    for path in media:
        by_name[path.name.lower()].append(path)
        by_stem[path.stem.lower()].append(path)
    return by_name, by_stem


def _owners(
    path: Path, kind: str, by_name: dict[str, list[Path]], by_stem: dict[str, list[Path]]
) -> tuple[list[Path], str]:
    """The media that a sidecar may belong to, and how that is known."""
    stem = path.stem.lower()
    for found, basis in ((by_name.get(stem, []), WHOLE_NAME), (by_stem.get(stem, []), STEM)):
        owners = [one for one in found if kind != "srt" or VIDEO.fullmatch(one.suffix)]
        if owners:
            several = f"; {len(owners)} files here share it, so this is ambiguous" if len(owners) > 1 else ""
            return owners, basis + several
    return [], ""
