"""Counts, releases and maps on SQLite and on PostgreSQL: the same records give the same bytes on both.

Both archives are given the same ids and the same clock, so that nothing but the database differs.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from app.access.service import Principal
from app.api.services import Services
from app.evidence.models import Case
from app.incidents.dossier import take_apart
from evidence_store.canonical import canonical_bytes
from tests.archives import close_archive, make_archive
from tests.checks import assert_clean, audit, errors_of
from tests.databases import BACKENDS, fresh_database
from tests.incident_samples import body, document
from tests.keyrings import Hands

# in another order under most collations than by their code points
REFS = ("b", "B", "a-1", "a1", "A", "ä", "Z", "_x", "Інцидент 1", "інцидент 2", "Ґ", "10", "9", "e\u0301", "é")
RULES: dict[str, dict[str, Any]] = {
    "engines": {"title": "engines", "where": {"field": "target", "op": "mentions", "value": ["fire engine", "авто"]}},
    "strikes": {"title": "strikes", "unit": "strike", "period": {"from": "2025-07-01", "to": "2025-08-31"}},
    "facts": {"title": "facts", "where": {"fact": "killed", "op": "eq", "value": 0}},
}
PARTS = ("rule", "members", "numbers", "aggregates", "method", "program")


def incident(number: int, ref: str) -> dict[str, Any]:
    place: dict[str, Any] = {
        "lat": f"{46 + number / 7:.4f}",
        "lon": f"{32 - number / 3:.3f}",
        "city": f"Місто {number % 4}",
    }
    place["uncertainty_m"] = 10**number % 99_991
    if number == 5:
        place["handling"] = "secret"
    targets = [("пожежне авто", "fire engine", None)[(number + n) % 3] for n in range(number % 4)]
    told = body(
        date=({"value": f"2025-0{6 + number % 4}"}, {"value": "2025-07-31"}, {})[number % 3],
        place=place,
        sequence=[{"n": n + 1, "target": target} for n, target in enumerate(targets)],
        casualties={"killed": number % 3, "persons": [{"name": "Авто"}]},
    )
    return {"id": ref, **told}


def given() -> dict[str, Any]:
    """Incidents that differ in everything that a count or a map reads."""
    told = document()
    told["incidents"] += [incident(number, ref) for number, ref in enumerate(REFS)]
    return told


class Twin:
    """One of the two archives, with what was made in it."""

    def __init__(self, folder: Path, backend: str) -> None:
        numbers = (uuid.UUID(int=number << 64 | number, version=4) for number in count(1))
        database = fresh_database(backend, folder)
        with mock.patch.object(uuid, "uuid4", side_effect=numbers):
            self.services: Services = make_archive(folder, database, clock=Hands(), fresh=True)
            self.who: Principal = self.services.access.local_operator()
            self.case: Case = self.services.evidence.create_case(self.who, "T1")
            self.services.incident_files.take_in(self.who, self.case, take_apart(given()))
            for name, rule in RULES.items():
                self.services.patterns.put_rule(self.who, self.case, name, rule)
                self.services.releases.freeze(self.who, self.case, name, name)


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Twin, Twin]]:
    with ExitStack() as opened:
        made = [Twin(tmp_path_factory.mktemp(backend), backend) for backend in BACKENDS]
        for one in made:
            opened.callback(close_archive, one.services)
        yield made[0], made[1]


@pytest.mark.parametrize("name", RULES)
def test_release_has_the_same_counted_part_on_both_and_holds_on_both(twins: tuple[Twin, Twin], name: str) -> None:
    counted = []
    for one in twins:
        said = json.loads(one.services.releases.get(one.who, one.case, name).statement)
        assert [member["ref"] for member in said["members"]] == sorted([*REFS, "INC-A", "INC-B"])
        counted.append(canonical_bytes({part: said[part] for part in PARTS}))
        assert one.services.releases.verify(one.who, one.case, name).identical
        assert one.services.releases.diff(one.who, one.case, name)["same"]
    assert counted[0] == counted[1]
    numbers = json.loads(counted[0])["numbers"]
    assert min(numbers["included"], numbers["unknown"]) > 0


@pytest.mark.parametrize("form", ["geojson", "timeline", "kml", "csv"])
def test_shapes_are_the_same_bytes_on_both(twins: tuple[Twin, Twin], form: str) -> None:
    lite, other = (one.services.drawings.file(one.who, one.case, form) for one in twins)
    assert lite == other
    assert "Інцидент 1".encode() in lite


def test_pages_of_the_map_and_pictures_are_the_same_on_both(twins: tuple[Twin, Twin]) -> None:
    seen: list[list[Any]] = []
    for one in twins:
        drawings, pages, cursor = one.services.drawings, [], None
        while True:
            pages.append(drawings.features(one.who, one.case, cursor=cursor, limit=4))
            cursor = pages[-1]["cursor"]
            if cursor is None:
                break
        pictures = [drawings.map(one.who, one.case), drawings.months(one.who, one.case, "engines", "uk")]
        seen.append([*json.loads(json.dumps(pages)), *pictures, drawings.page(one.who, one.case, "strikes")])
    assert len(seen[0]) == 5 + 3
    assert seen[0] == seen[1]


def test_release_that_was_tampered_with_is_named_alike_on_both(tmp_path: Path) -> None:
    told = []
    for backend in BACKENDS:
        one = Twin(tmp_path / backend, backend)
        assert_clean(one.services)
        with one.services.archive.db.engine.begin() as connection:
            connection.exec_driver_sql(
                "UPDATE frozen_release SET seal = (SELECT o.seal FROM frozen_release o WHERE o.ref = 'facts') "
                "WHERE ref = 'engines'"
            )
            connection.exec_driver_sql("DELETE FROM frozen_release WHERE ref = 'strikes'")
        told.append(errors_of(audit(one.services)))
        close_archive(one.services)
    assert told[0] == told[1]
    assert {code for code, _ in told[0]} == {"release_seal_invalid", "row_altered", "row_missing"}
