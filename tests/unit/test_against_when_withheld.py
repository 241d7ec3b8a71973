"""What speaks against is counted alike wherever it is: of our own, withheld, and in a partner's records."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.disclosure.dossier import is_against
from app.receiving.against import speaking_against
from evidence_store.bundle.plan import ExtraFile

ENTRY = "5f1d7c1e-6c0f-4a53-9b0e-0f5cf1f6a001"
FOUND = [
    ("element link", {"direction": "contradicts"}),
    ("element state", {"state": "contested"}),
    ("element state", {"state": "contradicted"}),
    ("panel answer", {"answer": "answered"}),
    ("assessment", {"outcome": "not_reached"}),
]
NOT_FOUND = [
    ("element link", {"direction": "supports"}),
    ("element state", {"state": "supported"}),
    ("panel answer", {"answer": "searched_none_found"}),
    ("assessment", {"outcome": "reached"}),
]


class Partner:
    """A bundle with one record."""

    def __init__(self, role: str, record: Any) -> None:  # noqa: ANN401 - whatever a partner wrote
        self._record = {"role": role, "object": "x", "path": "data/x.json", "sha256": "0" * 64, "size": 1}
        self._record["record"] = record

    def records(self, _roles: object) -> list[dict[str, Any]]:
        return [self._record]


@pytest.mark.parametrize(("role", "said"), [*FOUND, *NOT_FOUND])
def test_withheld_record_and_that_of_a_partner_are_judged_alike(role: str, said: dict[str, str]) -> None:
    record = {"entry": ENTRY, "thread": ENTRY, "number": 1, **said}
    against = (role, said) in FOUND
    assert is_against(ExtraFile("data/x.json", json.dumps(record).encode(), role, "incident:x"), ()) is against
    told = [identity for _, identity in speaking_against(Partner(role, record))]  # type: ignore[arg-type]
    assert told == ([ENTRY] if against else [])


@pytest.mark.parametrize("identity", ["", "data/", "x" * 10_000, ENTRY.upper(), None, 3])
def test_what_a_partner_calls_an_id_and_is_none_never_stands_in_our_register(identity: object) -> None:
    record = {"entry": identity, "thread": identity, "number": 1, "state": "contested"}
    told = [found for _, found in speaking_against(Partner("element state", record))]  # type: ignore[arg-type]
    assert told == ["data/x.json"]
