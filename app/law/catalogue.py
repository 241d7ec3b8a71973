"""Reading a catalogue file: every entry whole, every reference pointing somewhere, or none of it."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from pydantic import TypeAdapter, ValidationError

from app.errors import EnvironmentFailedError
from schemas.records.v1.provision import Element, Provision

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
