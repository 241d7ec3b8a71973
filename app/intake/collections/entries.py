"""What is read of a collection: files, what is stated of their sources, what their own hashes and signatures say."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pydantic import JsonValue

    from schemas.records.v1.source import SourceContext

Verdict = Literal["passed", "failed", "not_checked"]

MAX_CHECKS = 50
"""So many checks can be recorded with a deposit."""


@dataclass(frozen=True, slots=True)
class Check:
    """What came of checking a hash, signature or token that the collector made.

    Attributes:
        kind: what was checked, lower snake case, at most 40 characters (docs/sources.md lists them).
        verdict: `passed` and `failed` are what was computed here; `not_checked` says that nothing was shown.
        record: JSON object with what was compared, without floats: `sha256` of the medium wherever it was read (a
            deposit of other bytes is then refused), and for `failed` and `not_checked` always a `reason`.
    """

    kind: str
    verdict: Verdict
    record: dict[str, JsonValue]


@dataclass(frozen=True, slots=True)
class Sidecar:
    """A file that belongs to a medium.

    Attributes:
        path: the file.
        kind: what it is: `srt`, `xmp`, `json`, `c2pa`, `proof`, `timestamp`, ... (at most 20 characters).
        basis: how it is known to belong there, one line of at most 200 characters; it is recorded with the relation.
    """

    path: Path
    kind: str
    basis: str = "the collection says so"


@dataclass(frozen=True, slots=True)
class Entry:
    """One medium of a collection, ready to be deposited.

    Attributes:
        path: its bytes, a plain file inside the collection.
        name: the file name to record.
        source: what the collector states.
        checks: of this medium, in the order in which they were made.
        sidecars: files that belong to it; each is to become an item of its own, related to this one. The same file
            may belong to several media: it is one item then.
    """

    path: Path
    name: str
    source: SourceContext
    checks: tuple[Check, ...] = ()
    sidecars: tuple[Sidecar, ...] = ()


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Something in a collection that is not taken on purpose, and why: nothing is passed over in silence.

    Attributes:
        path: where it is.
        code: `hidden`, `system_file`, `link_outside`, `link_broken`, `link_to_folder`, `not_a_file`, `archive_data`,
            `folder`, `not_in_manifest`.
        detail: one sentence for a person.
    """

    path: Path
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Problem:
    """What could not be read of a collection, though the rest could.

    Attributes:
        where: the file or row, as the collection names it.
        code: stable, lower snake case: `file_missing`, `symbolic_link`, `proof_unreadable`, ...
        detail: one sentence.
    """

    where: str
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Unpacked:
    """Where a container was unpacked: a folder that is another one each time, and soon gone.

    Attributes:
        folder: that folder.
        container: the file that was handed over.
    """

    folder: Path
    container: Path

    def place(self, path: Path) -> str | None:
        """Where a file is inside the container, `/there/bundle.zip!/photo.jpg`; None for a file that is not."""
        if not path.is_relative_to(self.folder):
            return None
        return f"{self.container.absolute()}!/{path.relative_to(self.folder).as_posix()}"


@dataclass(frozen=True, slots=True)
class Collection:
    """A collection, read.

    Attributes:
        entries: its media, in a stable order; a sidecar may belong to several of them.
        problems: what is missing or could not be read; to be told, not to be passed over.
        left_out: what is not evidence, in the order in which it was met; likewise.
        unpacked: where its files come from, when they were unpacked.
    """

    entries: tuple[Entry, ...]
    problems: tuple[Problem, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    unpacked: Unpacked | None = None
