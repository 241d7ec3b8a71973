"""The tamper table, sets: each way in which the parts here are not those of the signed list."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

from evidence_store.bundle.sets import SEAL_ENDING
from evidence_store.verify.checks import verify_bundle
from evidence_store.verify.report import Report
from evidence_store.verify.sets import verify_set
from tests.bundles import SampleArchive
from tests.sets import edit_list, part, three_items, write_set

Fixture = Callable[[Path], Report]


@cache
def archive(seed: str = "table-set") -> SampleArchive:
    """The archive that made the set, or another one."""
    return three_items(seed)


def _attacked(attack: Callable[[Path], object]) -> Fixture:
    """Somebody without any key."""

    def fixture(folder: Path) -> Report:
        path = write_set(archive(), folder / "set")
        attack(path)
        return verify_set(path, archive().anchors)

    return fixture


def _lone(folder: Path) -> Report:
    return verify_bundle(part(write_set(archive(), folder / "set"), 2), archive().anchors)


def _swap(path: Path) -> None:
    first, second = part(path, 1), part(path, 2)
    kept = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(kept)


def _double(path: Path) -> None:
    part(path, 2).with_name("copy.zip").write_bytes(part(path, 2).read_bytes())


def _foreign(path: Path) -> None:
    other = write_set(archive("table-set-of-others"), path.parent / "elsewhere")
    part(path, 2).with_name("added.zip").write_bytes(part(other, 2).read_bytes())


def _made_anew(path: Path) -> None:
    again = write_set(archive(), path.parent / "again")  # the same part, sealed a second time
    part(path, 2).write_bytes(part(again, 2).read_bytes())


def _other_purpose(folder: Path) -> Report:
    path = write_set(archive(), folder / "set", change=lambda whole: replace(whole, purpose="For somebody else"))
    return verify_set(path, archive().anchors)


FIXTURES: dict[str, Fixture] = {
    "part_of_set": _lone,
    "set_list_malformed": _attacked(lambda path: edit_list(path, items=4)),
    "set_seal_invalid": _attacked(lambda path: path.with_name(path.name + SEAL_ENDING).unlink()),
    "set_part_missing": _attacked(lambda path: part(path, 3).unlink()),
    "set_part_foreign": _attacked(_foreign),
    "set_part_doubled": _attacked(_double),
    "set_part_swapped": _attacked(_swap),
    "set_part_changed": _attacked(_made_anew),
    "set_part_differs": _other_purpose,
}
