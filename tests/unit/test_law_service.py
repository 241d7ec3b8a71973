"""Catalogue and links over a real archive: who may link, what a link's record says, and what the log then holds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.access.service import Principal
from app.api.services import Services
from app.custody.rows import binding
from app.custody.service import SYSTEM
from app.errors import CatenaError, DeniedError, EnvironmentFailedError, InvalidInputError, NotFoundError
from app.evidence.models import Case
from app.law.catalogue import packaged_catalogue
from evidence_store.canonical import parse_canonical
from schemas.records.v1.link import LinkRecord
from tests.archives import close_archive, deposit, events_of, make_archive, person

AMMUNITION = "Ящики з набоями у кузові"  # noqa: RUF001 - Ukrainian


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    opened = make_archive(tmp_path)
    yield opened
    close_archive(opened)


@pytest.fixture
def admin(services: Services) -> Principal:
    return services.access.local_operator()


@pytest.fixture
def case(services: Services, admin: Principal) -> Case:
    return services.evidence.create_case(admin, "T1")


@pytest.fixture
def item(services: Services, admin: Principal, case: Case) -> str:
    return deposit(services, admin, case, b"a photo of a fire engine").item.id


def changed_catalogue() -> bytes:
    entries = json.loads(packaged_catalogue())
    entries[0]["summary"] = "A newer summary."
    return json.dumps(entries).encode()


def test_loading_the_same_catalogue_again_changes_nothing(services: Services) -> None:
    about = f"archive:{services.archive.identity.id}"
    before = len(events_of(services, about))
    row = services.law.ensure_catalogue(SYSTEM)
    assert row.version == 1
    assert row.sha256 == hashlib.sha256(packaged_catalogue()).hexdigest()
    assert len(events_of(services, about)) == before


def test_catalogue_is_bound_to_the_log(services: Services) -> None:
    row = services.law.ensure_catalogue(SYSTEM)
    loaded = events_of(services, f"archive:{services.archive.identity.id}")
    event = next(event for event in loaded if event.type == "catalogue change")
    assert event.details["provisions"] == 110
    assert event.details["rows"] == [binding(row)]


def test_newer_catalogue_stands_beside_the_old_and_links_keep_theirs(
    services: Services, admin: Principal, item: str
) -> None:
    old = services.law.create_link(admin, item, "ap1-art8", "supports", "an ambulance")
    assert services.law.ensure_catalogue(SYSTEM, changed_catalogue()).version == 2
    new = services.law.create_link(admin, item, "ap1-art8", "neutral", "seen again")
    assert (old.catalogue_version, new.catalogue_version) == (1, 2)
    assert services.law.get_provision(admin, "ap1-art8").provision.summary == "A newer summary."
    assert services.law.get_provision(admin, "ap1-art8", version=1).provision.summary.startswith("Defines wounded")
    assert services.law.ensure_catalogue(SYSTEM).version == 1  # an older program that starts again changes nothing
    assert services.law.get_provision(admin, "ap1-art8").catalogue_version == 2


def test_broken_catalogue_is_not_loaded(services: Services, admin: Principal) -> None:
    with pytest.raises(EnvironmentFailedError):
        services.law.ensure_catalogue(SYSTEM, b"[{}]")
    assert services.law.get_provision(admin, "ap1-art8").catalogue_version == 1


@pytest.mark.parametrize(
    "attack",
    [
        "UPDATE catalogue SET data = CAST(replace(data, 'Art. 8', 'Art. 9') AS BLOB)",
        "UPDATE catalogue SET data = CAST(data AS TEXT)",
    ],
)
def test_catalogue_that_was_edited_in_the_database_is_not_used(
    services: Services, admin: Principal, attack: str
) -> None:
    with services.archive.db.engine.begin() as connection:
        connection.exec_driver_sql(attack)
    with pytest.raises(EnvironmentFailedError) as refused:
        services.law.list_provisions(admin)
    assert refused.value.code == "catalogue_damaged"


def test_every_provision_is_shown_as_a_draft_with_its_marks(services: Services, admin: Principal) -> None:
    views = services.law.list_provisions(admin)
    assert len(views) == 110
    for view in views:
        shown = view.as_json()
        assert shown["status"] == "draft until a qualified lawyer has signed it off"
        assert {"confidence", "verified_scope", "catalogue_version"} <= shown.keys()


def test_provisions_are_narrowed_by_instrument_and_words(services: Services, admin: Principal) -> None:
    protocol = services.law.list_provisions(admin, instrument="additional protocol ii (1977)")
    assert len(protocol) == 3
    both = services.law.list_provisions(admin, q="civil defence", instrument="Protocol I (1977)")
    assert both
    assert {view.provision.instrument.split(",")[0] for view in both} == {"Additional Protocol I (1977)"}
    assert services.law.search(admin, "  ") == []
    assert services.law.search(admin, "red crystal")[0].provision.id == "ap3-art2"


def test_unknown_provision_and_version_are_named(services: Services, admin: Principal) -> None:
    with pytest.raises(NotFoundError) as refused:
        services.law.get_provision(admin, "ap9-art1")
    assert refused.value.code == "unknown_provision"
    with pytest.raises(NotFoundError) as refused:
        services.law.get_provision(admin, "ap1-art8", version=7)
    assert refused.value.code == "unknown_catalogue_version"


def test_link_record_is_named_by_the_log_byte_for_byte(services: Services, admin: Principal, item: str) -> None:
    link = services.law.create_link(admin, item, "ap1-art8", "contradicts", AMMUNITION, element_id="ap1-art8-e3")
    event = events_of(services, f"item:{item}")[-1]
    assert event.type == "link"
    assert event.details["outputs"] == [
        {
            "role": "link",
            "link": link.id,
            "sha256": hashlib.sha256(link.record).hexdigest(),
            "sha512": hashlib.sha512(link.record).hexdigest(),
            "size": len(link.record),
        }
    ]
    assert (event.details["provision"], event.details["direction"]) == ("ap1-art8", "contradicts")
    assert event.details["rows"] == [binding(link)]
    parse_canonical(link.record)
    record = LinkRecord.model_validate_json(link.record)
    assert (record.link, record.item, record.direction) == (link.id, item, "contradicts")
    assert record.element is not None
    assert record.element.id == "ap1-art8-e3"
    assert record.author.id == admin.user_id
    assert record.provision.confidence == "verified"


def test_link_says_may_bear_on_and_never_violates(services: Services, admin: Principal, item: str) -> None:
    link = services.law.create_link(admin, item, "icc-8-2-b-xxiv", "supports", "emblem legible on the roof")
    assert b'"relation":"may bear on"' in link.record
    assert b"violat" not in link.record


def test_rationale_stands_in_the_record_and_not_in_the_event(services: Services, admin: Principal, item: str) -> None:
    services.law.create_link(admin, item, "ap1-art8", "supports", "x" * 8_000)
    row = services.archive.db
    with row.read() as session:
        canonical = session.connection().exec_driver_sql(
            "SELECT canonical FROM custody_event ORDER BY leaf_index DESC LIMIT 1"
        )
        assert b"xxxx" not in canonical.scalar_one()


@pytest.mark.parametrize(
    ("said", "error", "code"),
    [
        (("ap9-art1", "supports", "why", None), NotFoundError, "unknown_provision"),
        (("ap1-art8", "supports", "why", "ap1-art62-e1"), NotFoundError, "unknown_element"),
        (("ap1-art8", "proves", "why", None), InvalidInputError, "bad_direction"),
        (("ap1-art8", "supports", " ", None), InvalidInputError, "rationale_required"),
        (("ap1-art8", "supports", "x" * 8_001, None), InvalidInputError, "text_too_long"),
        (("ap1-art8", "supports", "a\x00b", None), InvalidInputError, "bad_text"),
    ],
)
def test_refused_link_leaves_no_trace(
    services: Services,
    admin: Principal,
    item: str,
    said: tuple[str, str, str, str | None],
    error: type[CatenaError],
    code: str,
) -> None:
    before = len(events_of(services, f"item:{item}"))
    with pytest.raises(error) as refused:
        services.law.create_link(admin, item, *said)
    assert refused.value.code == code
    assert services.law.links_of(admin, item) == []
    assert len(events_of(services, f"item:{item}")) == before


def test_links_for_and_against_are_listed_together_oldest_first(
    services: Services, admin: Principal, item: str
) -> None:
    made = [
        services.law.create_link(admin, item, "ap1-art8", direction, "because").id
        for direction in ("supports", "contradicts", "neutral")
    ]
    assert [link.id for link in services.law.links_of(admin, item)] == made


def test_stranger_to_the_case_learns_nothing_of_the_item(services: Services, item: str, case: Case) -> None:
    stranger = person(services, "stranger", "investigator")
    for attempt in (
        lambda: services.law.create_link(stranger, item, "ap1-art8", "supports", "why"),
        lambda: services.law.links_of(stranger, item),
    ):
        with pytest.raises(NotFoundError) as refused:
            attempt()
        assert refused.value.code == "unknown_item"
    with pytest.raises(NotFoundError) as unknown:
        services.law.links_of(stranger, "no-such-item")
    assert unknown.value.detail == refused.value.detail
    denied = [event for event in events_of(services, f"case:{case.id}") if event.type == "access denied"]
    assert [event.details["attempted"] for event in denied] == ["link.create", "item.read"]


def test_stranger_cannot_tell_a_hidden_link_from_none(services: Services, admin: Principal, item: str) -> None:
    link = services.law.create_link(admin, item, "ap1-art8", "supports", "why")
    stranger = person(services, "stranger", "legal")
    for link_id in (link.id, "no-such-link"):
        with pytest.raises(NotFoundError) as refused:
            services.law.get_link(stranger, link_id)
        assert refused.value.code == "unknown_link"
    assert services.law.get_link(admin, link.id)[1].id == item


def test_auditor_reads_the_catalogue_and_makes_no_link(services: Services, item: str) -> None:
    auditor = person(services, "auditor", "auditor")
    assert services.law.search(auditor, "ambulance")
    with pytest.raises(DeniedError) as refused:
        services.law.create_link(auditor, item, "ap1-art8", "supports", "why")
    assert refused.value.code == "not_allowed"
