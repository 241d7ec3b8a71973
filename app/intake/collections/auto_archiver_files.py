"""Which file of a folder is which medium of auto-archiver's records.

A storage key names its file whole, when the folder lies where the storage did, or with its end, when the folder is a
copy. Where no key is known (the JSON is written before the storage names its files) the hash tells. In this order:

1. the whole key names a file that has the stated hash;
2. the whole key names a file, and no other file has the stated hash;
3. a file has the stated hash, of several the one that the end of a key names;
4. the end of a key names a file - unless another record has a better claim to it.

A file that some record names together with its hash is never taken for one that another key names.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from app.intake.collections.auto_archiver_records import Medium, Record
from app.intake.collections.entries import Problem
from app.intake.collections.files import digests, shown
from schemas.records.v1.source import SourceContext

_BOTH = ("sha256", "sha3_512")
_WHOLE_AND_HASH, _WHOLE, _BY_HASH, _BY_END = range(4)


@dataclass(frozen=True)
class Claim:
    """A medium's claim to a file.

    Attributes:
        path: the file.
        grade: as numbered above, from 0; less is better.
        dropped: what stands in the key before the file's place in the folder; None when no key names it.
        found_by: `name`, `name_end` or `hash`.
        url: the address of the record.
        otherwise: to the file that a key names, when its bytes have another hash than the stated.
    """

    path: Path
    grade: int
    dropped: tuple[str, ...] | None
    found_by: str
    url: str | None
    otherwise: Claim | None = None


class _Rivals:
    """The claims to one file."""

    def __init__(self) -> None:
        self.named: set[tuple[int, int, tuple[str, ...]]] = set()  # grade, and what of the key was dropped
        self.urls: set[str | None] = set()  # of records that know it by its hash alone

    def add(self, claim: Claim) -> None:
        if claim.dropped is None:
            self.urls.add(claim.url)
        else:
            self.named.add((claim.grade, len(claim.dropped), claim.dropped))

    @property
    def owned(self) -> bool:
        """Whether somebody names it and states its hash."""
        return any(grade in {_WHOLE_AND_HASH, _BY_HASH} for grade, _, _ in self.named)

    def beat(self, claim: Claim) -> bool:
        """Whether another claim is better than one by the end of a key; claims of one kind stand beside each other.

        Of two records of one address, the hash in one checks what the other names: neither beats the other.
        """
        if claim.grade != _BY_END or claim.dropped is None:
            return False
        if self.urls and (claim.url is None or self.urls != {claim.url}):
            return True
        mine = (claim.grade, len(claim.dropped))
        return any(each[2] != claim.dropped and each[:2] < mine for each in self.named)


@dataclass
class Folder:
    """The files of a folder, what is known of them, and who claims them."""

    root: Path
    problems: list[Problem] = field(default_factory=list)
    files: dict[str, Path] = field(default_factory=dict)
    claims: dict[int, Claim] = field(default_factory=dict)  # by identity of the medium
    told: dict[Path, Record | None] = field(default_factory=dict)
    sources: dict[int, SourceContext] = field(default_factory=dict)  # by identity of the record
    databases: set[Path] = field(default_factory=set)
    sums: dict[Path, dict[str, str]] = field(default_factory=dict)
    by_digest: dict[tuple[str, str], list[Path]] | None = None

    def path_of(self, medium: Medium) -> Path | None:
        """The file of a medium."""
        claim = self.claims.get(id(medium))
        return None if claim is None else claim.path

    def digests(self, path: Path) -> dict[str, str]:
        """SHA-256 and SHA3-512 of a file."""
        if path not in self.sums:
            self.sums[path] = digests(path, _BOTH)
        return self.sums[path]

    def with_hash(self, medium: Medium) -> list[Path]:
        """The files that have the stated hash."""
        if medium.algorithm is None or medium.digest is None:
            return []
        if self.by_digest is None:
            self.by_digest = defaultdict(list)
            for path in self.files.values():
                for each in self.digests(path).items():
                    self.by_digest[each].append(path)
        return self.by_digest.get((medium.algorithm, medium.digest), [])

    def named(self, medium: Medium) -> tuple[Path, tuple[str, ...], bool] | None:
        """The file that a key names with its longest end, what stands before that, and whether it is the whole key."""
        best: tuple[Path, tuple[str, ...], bool] | None = None
        place = self.root.absolute().parts
        for key in medium.keys:
            parts = PurePosixPath(unquote(urlsplit(key).path) if "://" in key else key).parts
            for start in range(len(parts)):
                if (path := self.files.get("/".join(parts[start:]))) is not None:
                    whole = place[len(place) - start :] == parts[:start]
                    if best is None or (not whole, start) < (not best[2], len(best[1])):
                        best = path, parts[:start], whole
                    break
        return best

    def claim(self, medium: Medium, url: str | None) -> Claim | None:
        """The best claim that a medium has by itself."""
        found = self.named(medium)
        if found is None:
            same = self.with_hash(medium)
            return Claim(same[0], _BY_HASH, None, "hash", url) if same else None
        path, dropped, whole = found
        by = "name" if whole else "name_end"
        if medium.algorithm is None:
            return Claim(path, _WHOLE if whole else _BY_END, dropped, by, url)
        if self.digests(path)[medium.algorithm] == medium.digest:
            return Claim(path, _WHOLE_AND_HASH if whole else _BY_HASH, dropped, by, url)
        failing = Claim(path, _WHOLE if whole else _BY_END, dropped, by, url)
        same = self.with_hash(medium)
        return Claim(same[0], _BY_HASH, None, "hash", url, failing) if same else failing


def claimed(here: Folder, records: Iterable[Record]) -> dict[int, Path]:
    """The file of each medium of some records, by the medium's identity."""
    return {key: claim.path for key, claim in _standing(here, records).items()}


def claimed_and_told(here: Folder, records: list[Record]) -> dict[int, Claim]:
    """Likewise the claims; what is not found, and what is found elsewhere than it was named, goes to the problems."""
    claims = _standing(here, records)
    for record, medium in _media(records):
        claim = claims.get(id(medium))
        if claim is None and (medium.keys or medium.digest):
            where = medium.keys[0] if medium.keys else str(medium.digest)
            detail = f"{shown(record.where)} names it, and it is not in the folder"
            here.problems.append(Problem(shown(where), "file_missing", detail))
        elif claim is not None and claim.otherwise is not None:
            detail = f"{shown(record.where)} names it with the hash of another file, which is taken: {claim.path.name}"
            where = claim.otherwise.path.relative_to(here.root).as_posix()
            here.problems.append(Problem(shown(where), "named_otherwise", shown(detail)))
    return claims


def _standing(here: Folder, records: Iterable[Record]) -> dict[int, Claim]:
    """Every medium's claim, without those that yield to a better one."""
    claims = {
        id(medium): claim
        for record, medium in _media(records)
        if (claim := here.claim(medium, record.metadata.get("url"))) is not None
    }
    rivals = _rivals(claims)
    for key, claim in claims.items():  # what another names with this very hash is not what this one lost
        if claim.otherwise is not None and rivals[claim.path].owned:
            claims[key] = claim.otherwise
    rivals = _rivals(claims)
    return {key: claim for key, claim in claims.items() if not rivals[claim.path].beat(claim)}


def _rivals(claims: dict[int, Claim]) -> dict[Path, _Rivals]:
    found: dict[Path, _Rivals] = defaultdict(_Rivals)
    for claim in claims.values():
        found[claim.path].add(claim)
    return found


def _media(records: Iterable[Record]) -> Iterator[tuple[Record, Medium]]:
    for record in records:
        for top in record.media:
            for medium in top.all():
                yield record, medium
