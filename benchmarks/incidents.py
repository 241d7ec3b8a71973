"""Matrix and list of many incidents: prints percentiles, or exits with 1 when one is over its bound.

`python -m benchmarks.incidents [INCIDENTS] [LINKS]` (10,000 and 100,000) makes an archive in one case on SQLite:
incidents with places, statements of the case, links for and against with reviews, all bound to the log by events. Then
it asks through the service as the HTTP interface does, each time for another incident or page. `--keep DIR` keeps the
archive. On a busy machine the processor time (`cpu`) says more than the time on the clock.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeVar, cast

from pydantic import JsonValue
from sqlalchemy import insert
from sqlmodel import SQLModel

from app.access.service import Principal
from app.api.assessment_matrix import matrix_html
from app.api.incident_views import incident_summary
from app.api.services import Services
from app.assessment.desk import cited, cited_element
from app.assessment.models import AssessmentEntry, AssessmentReview
from app.assessment.records import digest, entry_row
from app.custody.rows import SaltedRow, binding
from app.evidence.models import Case
from app.incidents.bodies import check_body
from app.incidents.models import IncidentEntry
from app.incidents.records import new_entry, person, version_row
from evidence_store.canonical import canonical_bytes
from schemas.records.v1.assessment import AssessmentReviewRecord, ElementLinkRecord, LinkSource
from schemas.records.v1.incident import EntryKind
from schemas.records.v1.link import Person
from tests.archives import deposit, make_archive
from tests.archives import person as new_person

MATRIX_MS: Final = 200
LIST_MS: Final = 300
ROUNDS: Final = 200
STATEMENTS: Final = 200
PROVISIONS: Final = ("ap1-art62", "ap1-art61", "ap1-art52", "ap1-art57", "icc-8-2-b-ii", "icc-30")
DIRECTIONS: Final = ("supports", "contradicts", "supports", "neutral")
# what stands in a pattern for ids that each row has of its own
_ENTRY, _INCIDENT, _REVIEW = (f"{letter * 8}-0000-4000-8000-{letter * 12}" for letter in "abc")
_DIGEST: Final = "d" * 64
Row = TypeVar("Row", bound=SaltedRow)
_ROWS: Final = 300  # of one event, which has at most 65,535 bytes


def bodies(count: int, chance: random.Random) -> Iterator[tuple[EntryKind, str, dict[str, Any]]]:
    """Statements, some of them denials, and incidents with dates and points."""
    for number in range(STATEMENTS):
        kind = "denial" if number % 20 == 0 else "witness"
        yield "statement", f"ST-{number}", {"speaker": f"Speaker {number}", "summary": "So it is said.", "kind": kind}
    for number in range(count):
        day = f"{chance.randint(2022, 2025)}-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}"
        place = {
            "text": f"Town {number % 300}",
            "precision": "point",
            "lat": f"{46 + chance.random() * 4:.5f}",
            "lon": f"{30 + chance.random() * 9:.5f}",
            "uncertainty_m": chance.choice([50, 500, 5_000]),
        }
        yield (
            "incident",
            f"INC-{number:05}",
            {
                "title": f"Fire engine, then its crew, {number}",
                "date": {"value": day, "precision": "exact_day"},
                "place": place,
                "sequence": [{"n": 1, "target": "building"}, {"n": 2, "target": "fire engine"}],
                "casualties": {"killed": number % 3, "injured": None},
                "statements": [f"ST-{number % STATEMENTS}"],
            },
        )


def fill(services: Services, incidents: int, links: int) -> tuple[Principal, Case]:
    """Everything, in events of a few hundred rows."""
    chance = random.Random(1)  # noqa: S311 - a sample
    admin = services.access.local_operator()
    case = services.evidence.create_case(admin, "T1")
    leo = new_person(services, "leo", "legal", case)
    item = deposit(services, admin, case, b"\xff\xd8\xff a photo").item
    now = services.archive.custody.now()
    entries: list[IncidentEntry] = []
    rows: list[SaltedRow] = []
    for place, (kind, ref, body) in enumerate(bodies(incidents, chance), 1):
        entry = new_entry(admin, case.id, kind, ref, place, now)
        rows += [entry, version_row(admin, entry, kind, check_body(kind, ref, {**body}), now)]
        if kind == "incident":
            entries.append(entry)
    _write(services, admin, case, rows)
    version, catalogue = services.assessments.desk.catalogues.current()
    source = LinkSource(kind="item", id=item.id, ref=item.original_name, sha256=item.sha256, segment=None)
    common = {
        "thread": _ENTRY,
        "entry": _ENTRY,
        "number": 1,
        "incident": _INCIDENT,
        "catalogue": {"version": version, "sha256": catalogue.sha256},
        "withdrawn": False,
        "reason": None,
        "supersedes": None,
        "author": person(admin),
        "created_at": now,
        "source": source,
        "weight": "direct",
        "reasoning": "What is seen at this second speaks so, for the reasons that are given here at some length.",
    }

    @cache
    def pattern(provision_id: str, place: int, direction: str) -> AssessmentEntry:
        provision = catalogue.provisions[provision_id]
        element = cited_element(provision, provision.elements[place % len(provision.elements)].id)
        record = {**common, "provision": cited(provision), "element": element, "direction": direction}
        return entry_row(ElementLinkRecord.model_validate(record))

    reviewed = _review(person(leo), now)
    made: list[SaltedRow] = []
    for number in range(links):
        provision_id, direction = PROVISIONS[number // incidents % len(PROVISIONS)], DIRECTIONS[number % 4]
        ids = {_ENTRY: str(uuid.UUID(int=chance.getrandbits(128))), _INCIDENT: entries[number % incidents].id}
        row = _copy(pattern(provision_id, number % 7, direction), ids)
        made.append(row)
        if number % 2:
            ids |= {_REVIEW: str(uuid.UUID(int=chance.getrandbits(128))), _DIGEST: digest(row)}
            made.append(_copy(reviewed, ids))
    _write(services, admin, case, made)
    return leo, case


def _copy(pattern: Row, ids: dict[str, str]) -> Row:
    """A row like another one with other ids: its record stays canonical, since nothing but letters of ids changes."""
    values = pattern.model_dump(exclude={"row_salt"})
    for old, new in ids.items():
        for name, value in values.items():
            if isinstance(value, str):
                values[name] = value.replace(old, new)
            elif isinstance(value, bytes):
                values[name] = value.replace(old.encode(), new.encode())
    return type(pattern)(**values)


def _review(reviewer: Person, now: str) -> AssessmentReview:
    record = AssessmentReviewRecord(
        review=_REVIEW,
        incident=_INCIDENT,
        entry=_ENTRY,
        entry_type="link",
        entry_sha256=_DIGEST,
        number=1,
        decision="approve",
        comment="Seen and agreed.",
        supersedes=None,
        reviewer=reviewer,
        created_at=now,
    )
    return AssessmentReview(
        id=record.review,
        entry_id=_ENTRY,
        number=1,
        decision="approve",
        comment=record.comment,
        reviewer_id=reviewer.id,
        record=canonical_bytes(record.model_dump(mode="json")),
        created_at=now,
    )


def _write(services: Services, who: Principal, case: Case, rows: Sequence[SaltedRow]) -> None:
    """Rows as the driver takes them, each bound to the log by an event as the archive itself would bind it."""
    for batch in _batched(rows, _ROWS * 20):
        with services.archive.db.write() as session:
            for model in dict.fromkeys(type(row) for row in batch):  # those that others refer to come first
                table = SQLModel.metadata.tables[str(model.__tablename__)]
                session.connection().execute(insert(table), [row.model_dump() for row in batch if type(row) is model])
            for part in _batched(batch, _ROWS):
                bound: list[JsonValue] = [list(binding(row)) for row in part]
                services.archive.custody.record(
                    session, f"case:{case.id}", "annotation", who.actor, details={"rows": bound}
                )


def _batched(rows: Sequence[SaltedRow], size: int) -> Iterator[Sequence[SaltedRow]]:
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def measured(name: str, bound: int, ask: Callable[[int], object], rounds: int = ROUNDS) -> bool:
    """Ask many times; tells the percentiles, and whether the 95th is within its bound (milliseconds)."""
    ask(-1)  # what is loaded once per process
    took, busy = [], []
    for number in range(rounds):
        begun, cpu = time.perf_counter(), time.process_time()
        ask(number)
        busy.append((time.process_time() - cpu) * 1000)
        took.append((time.perf_counter() - begun) * 1000)
    p95, cpu95 = (statistics.quantiles(one, n=20)[-1] for one in (took, busy))
    well = p95 <= bound
    clock = f"median {statistics.median(took):7.1f} ms   p95 {p95:7.1f} ms"
    print(f"{name:<26} {clock}   cpu p95 {cpu95:6.1f} ms   bound {bound} ms   {well}", flush=True)
    return well


def run(folder: Path, incidents: int, links: int) -> bool:
    """Fill an archive and ask it."""
    services = make_archive(folder)
    begun = time.perf_counter()
    who, case = fill(services, incidents, links)
    print(f"{incidents} incidents, {links} links, {STATEMENTS} statements: {time.perf_counter() - begun:.0f} s to make")
    chance = random.Random(2)  # noqa: S311
    refs = [f"INC-{chance.randrange(incidents):05}" for _ in range(ROUNDS + 1)]
    pages: list[str | None] = [None]
    while pages[-1] is not None or len(pages) == 1:
        pages.append(services.incidents.list_incidents(who, case.id, cursor=pages[-1], limit=500).cursor)
    cursors = pages[:-1]

    def matrix(number: int) -> dict[str, Any]:
        return cast("dict[str, Any]", services.assessments.matrix(who, refs[number]))

    def page(number: int, limit: int) -> list[object]:
        found = services.incidents.list_incidents(who, case.id, cursor=cursors[number % len(cursors)], limit=limit)
        return [incident_summary(view).model_dump(mode="json") for view in found.incidents]

    seen = sum(len(one["supports"]) + len(one["contradicts"]) + len(one["neutral"]) for one in _elements(matrix(0)))
    print(f"a matrix holds {seen} links, {len(json.dumps(matrix(0)))} bytes of JSON")
    return all(
        [
            measured("matrix as JSON", MATRIX_MS, lambda number: json.dumps(matrix(number))),
            measured(
                "matrix of one provision",
                MATRIX_MS,
                lambda number: services.assessments.matrix(who, refs[number], ["ap1-art62"]),
            ),
            measured("matrix as HTML", MATRIX_MS, lambda number: matrix_html(matrix(number))),
            measured("list, 50 on a page", LIST_MS, lambda number: page(number, 50)),
            measured("list, 500 on a page", LIST_MS, lambda number: page(number, 500)),
        ]
    )


def _elements(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for provision in document["provisions"]:
        for group in provision["groups"]:
            yield from group["elements"]


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description="Matrix and list of many incidents.")
    parser.add_argument("incidents", nargs="?", type=int, default=10_000)
    parser.add_argument("links", nargs="?", type=int, default=100_000)
    parser.add_argument("--keep", type=Path, default=None, metavar="DIR")
    asked = parser.parse_args()
    if asked.keep is not None:
        return 0 if run(asked.keep, asked.incidents, asked.links) else 1
    with tempfile.TemporaryDirectory() as name:
        return 0 if run(Path(name), asked.incidents, asked.links) else 1


if __name__ == "__main__":
    raise SystemExit(main())
