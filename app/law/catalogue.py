"""Reading a catalogue file: every entry whole, every reference pointing somewhere, or none of it."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from pydantic import TypeAdapter, ValidationError

from app.errors import EnvironmentFailedError
from schemas.records.v1.provision import Element, Provision

LOSS: Final = "loss_of_protection_exception"
_LIST = TypeAdapter(tuple[Provision, ...])


@dataclass(frozen=True)
class Catalogue:
    """One version of the catalogue, parsed.

    Attributes:
        sha256: of the file's bytes.
        provisions: by id, in the order of the file.
    """

    sha256: str
    provisions: dict[str, Provision]

    @property
    def elements(self) -> int:
        """Number of elements of all provisions."""
        return sum(len(provision.elements) for provision in self.provisions.values())


@dataclass(frozen=True, slots=True)
class Resorted:
    """An element that takes protection away in one of two versions of the catalogue and not in the other.

    Attributes:
        provision: its id; `element` is the element's.
        before: kind in the earlier version.
        after: kind in the later one; None where the element is gone.
    """

    provision: str
    element: str
    before: str
    after: str | None


def parse_catalogue(data: bytes) -> Catalogue:
    """Read a catalogue file.

    Args:
        data: a JSON array of provisions (schemas.records.v1.provision).

    Raises:
        EnvironmentFailedError: `catalogue_invalid`, naming the entry.
    """
    try:
        entries = _LIST.validate_json(data, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "file"
        raise _invalid(f"{where}: {first['msg']}") from None
    _refuse_repeated("provision", (entry.id for entry in entries))
    _refuse_repeated("element", (element.id for entry in entries for element in entry.elements))
    known = {entry.id for entry in entries}
    for entry in entries:
        lost = [other for other in entry.related if other not in known]
        if lost:
            raise _invalid(f"{entry.id} is related to {lost[0]}, which is not in the catalogue")
    return Catalogue(hashlib.sha256(data).hexdigest(), {entry.id: entry for entry in entries})


def element_of(provision: Provision, element_id: str) -> Element | None:
    """An element of a provision by id."""
    return next((element for element in provision.elements if element.id == element_id), None)


def resorted(before: Catalogue, after: Catalogue) -> list[Resorted]:
    """The elements of a version by which protection is lost, and no longer in the next one, or the other way round."""
    found: list[Resorted] = []
    for name, entry in before.provisions.items():
        later = after.provisions.get(name)
        kinds = {one.id: one.kind for one in (later.elements if later else ())}
        found += [
            Resorted(name, one.id, one.kind, kinds.get(one.id))
            for one in entry.elements
            if (one.kind == LOSS) != (kinds.get(one.id) == LOSS)
        ]
    return found


@cache
def packaged_catalogue() -> bytes:
    """The bytes of the catalogue that this program came with."""
    return (files("app.law") / "data" / "catalogue.json").read_bytes()


def _refuse_repeated(what: str, ids: Iterable[str]) -> None:
    twice = [name for name, count in Counter(ids).items() if count > 1]
    if twice:
        raise _invalid(f"{what} {twice[0]} is there twice")


def _invalid(detail: str) -> EnvironmentFailedError:
    return EnvironmentFailedError("catalogue_invalid", f"the law catalogue cannot be used: {detail}", status=500)
