"""Time-stamping authorities that come and go, and what is kept of them."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import sqlalchemy.event
from cryptography.hazmat.primitives.serialization import Encoding

from app.errors import CatenaError, ConflictError, EnvironmentFailedError, InvalidInputError, NotFoundError
from app.intake.stamping import stamped_seal
from app.timestamps import client, service
from app.timestamps.service import receipt_subject
from evidence_store.errors import EvidenceStoreError
from evidence_store.seal import seal_imprint, seal_tokens
from evidence_store.timestamps.token import verify_token
from tests.archives import events_of
from tests.databases import BACKENDS
from tests.stamping import Scene, staged
from tests.tsa import LocalTsa, Mode, authority


@pytest.fixture(params=BACKENDS)
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Scene]:
    """On each kind of database."""
    with staged(tmp_path, request.param) as made:
        yield made


@pytest.fixture
def lite(tmp_path: Path) -> Iterator[Scene]:
    """On SQLite, for what the database has no part in."""
    with staged(tmp_path, "sqlite") as made:
        yield made


def test_adding_and_removing_an_authority_is_an_event(scene: Scene) -> None:
    tsa = scene.tsa()
    who = scene.services.access.local_operator()
    scene.stamps.remove(who.actor, "first")
    added, removed = [
        event for event in events_of(scene.services, scene.services.archive.about) if event.type.startswith("time ")
    ]
    roots = [hashlib.sha256(tsa.authority.root.certificate.public_bytes(Encoding.DER)).hexdigest()]
    assert added.details == {"change": "addition", "name": "first", "url": tsa.url, "roots": roots, "intermediates": []}
    assert removed.details == {"change": "removal", "name": "first"}
    assert added.actor.auth == "local operator"


def test_removed_authority_is_asked_no_more_and_its_tokens_can_still_be_verified(scene: Scene) -> None:
    tsa = scene.tsa()
    receipt = scene.deposit(b"one").receipt
    assert receipt is not None
    scene.stamps.work()
    tsa.stop()
    scene.deposit(b"two")
    assert scene.stamps.remove(scene.services.access.local_operator().actor, "first") == 1
    assert scene.stamps.authorities() == []
    assert {row.state for row in scene.rows()} == {"done"}
    trust = scene.stamps.configured.trust("first")
    assert trust is not None
    (token,) = scene.stamps.tokens(receipt_subject(receipt.item_id)).values()
    verify_token(token, seal_imprint(receipt.seal), "sha256", trust.roots)
    scene.deposit(b"three")
    scene.stamps.work()
    assert len(scene.rows()) == 2


def test_name_whose_tokens_are_trusted_under_other_roots_is_not_given_again(lite: Scene) -> None:
    first = lite.tsa()
    who = lite.services.access.local_operator()
    with pytest.raises(ConflictError) as caught:
        lite.tsa()
    assert caught.value.code == "tsa_name_taken"
    lite.stamps.remove(who.actor, "first")
    with pytest.raises(ConflictError) as caught:
        lite.tsa(roots=authority("stranger").roots_pem)
    assert caught.value.code == "tsa_name_taken"
    lite.tsa(roots=first.authority.roots_pem)
    with pytest.raises(NotFoundError) as missing:
        lite.stamps.remove(who.actor, "second")
    assert missing.value.code == "unknown_tsa"


@pytest.mark.parametrize(
    ("mode", "roots", "code"),
    [
        ("up", "stranger", "timestamp_untrusted"),
        ("garbage", "first", "timestamp_response_malformed"),
        ("error", "first", "tsa_unreachable"),
        ("refuse", "first", "timestamp_refused"),
    ],
)
def test_authority_that_gives_no_good_token_is_not_added(mode: Mode, roots: str, code: str, lite: Scene) -> None:
    tsa = LocalTsa(lite.folder / "tsa", authority("first"), mode=mode)
    lite.tsas.append(tsa)
    tsa.start()
    who = lite.services.access.local_operator()
    with pytest.raises((CatenaError, EvidenceStoreError)) as caught:
        lite.stamps.add(who.actor, "first", tsa.url, authority(roots).roots_pem)
    assert caught.value.code == code  # type: ignore[attr-defined]
    assert lite.stamps.authorities() == []
    assert not [event for event in events_of(lite.services, lite.services.archive.about) if "time" in event.type]
    assert lite.stamps.configured.trust("first") is None


@pytest.mark.parametrize(
    ("name", "url", "code"),
    [
        ("", "https://tsa.example", "bad_tsa_name"),
        ("Example", "https://tsa.example", "bad_tsa_name"),
        ("../x", "https://tsa.example", "bad_tsa_name"),
        ("a" * 33, "https://tsa.example", "bad_tsa_name"),
        ("-a", "https://tsa.example", "bad_tsa_name"),
        ("a\n", "https://tsa.example", "bad_tsa_name"),
        ("a", "ftp://tsa.example", "bad_tsa_url"),
        ("a", "file:///etc/passwd", "bad_tsa_url"),
        ("a", "https://", "bad_tsa_url"),
        ("a", "tsa.example", "bad_tsa_url"),
        ("a", "https://tsa.example/\n", "bad_tsa_url"),
        ("a", "https://tsa.example/" + "x" * 500, "bad_tsa_url"),
        ("a", "https://[::1", "bad_tsa_url"),
    ],
)
def test_name_or_address_that_cannot_be_one(name: str, url: str, code: str, lite: Scene) -> None:
    who = lite.services.access.local_operator()
    with pytest.raises(InvalidInputError) as caught:
        lite.stamps.add(who.actor, name, url, authority().roots_pem, try_it=False)
    assert caught.value.code == code


def test_damaged_files_of_the_only_authority_are_coded_errors_and_told_by_name(lite: Scene) -> None:
    lite.tsa()
    folder = lite.services.archive.settings.tsas
    record, pem = folder / "first.json", folder / "first.pem"
    good, kept = record.read_bytes(), pem.read_bytes()

    def told(code: str) -> None:
        with pytest.raises(EnvironmentFailedError, match=f"none of the .* can be asked: first: {code}") as caught:
            lite.stamps.work()
        assert caught.value.code == "tsa_none_usable"
        assert lite.stamps.configured.all().unusable["first"].startswith(f"{code}: ")
        with pytest.raises((CatenaError, EvidenceStoreError)) as one:
            lite.stamps.retry("first")
        assert one.value.code == code  # type: ignore[attr-defined]

    for damaged in (b"", b"[]", b"{}", b"\xff", b"[" * 100_000, b'{"url": null'):
        record.write_bytes(damaged)
        told("tsa_damaged")
    record.write_bytes(good)
    pem.write_bytes(b"no roots")
    told("tsa_roots_malformed")
    pem.unlink()
    told("tsa_damaged")
    pem.write_bytes(kept)
    assert [one.name for one in lite.stamps.authorities()] == ["first"]


@pytest.mark.parametrize("spoilt", ["altered", "stray", "gone"])
def test_spoilt_files_of_one_authority_keep_nobody_from_asking_the_others(spoilt: str, lite: Scene) -> None:
    lite.tsa("first")
    lite.tsa("second")
    folder = lite.services.archive.settings.tsas
    name, file = ("zzz", folder / "zzz.json") if spoilt == "stray" else ("first", folder / "first.pem")
    kept = None if spoilt == "stray" else file.read_bytes()
    if spoilt == "gone":
        file.unlink()
    else:
        file.write_bytes(b"{}" if spoilt == "stray" else authority("stranger").roots_pem)
    receipt = lite.deposit().receipt
    assert receipt is not None
    subject = receipt_subject(receipt.item_id)
    others = {"second"} if kept is not None else {"first", "second"}
    assert {one.tsa for one in lite.stamps.obtain(subject, 30) if one.state == "done"} == others
    lite.deposit(b"more")
    lite.stamps.work()
    assert {row.tsa for row in lite.rows() if row.state == "done" and row.subject.startswith("check")} == others
    assert list(lite.stamps.configured.all().unusable) == [name]
    if kept is None:
        file.unlink()
    else:
        file.write_bytes(kept)
    lite.stamps.retry()
    lite.stamps.work()
    assert {one.tsa for one in lite.stamps.states(subject) if one.state == "done"} == {"first", "second"}


def test_token_whose_roots_are_gone_is_not_handed_out(lite: Scene) -> None:
    lite.tsa("first")
    lite.tsa("second")
    receipt = lite.deposit().receipt
    assert receipt is not None
    lite.stamps.work()
    pem = lite.services.archive.settings.tsas / "first.pem"
    kept = pem.read_bytes()
    pem.unlink()
    assert set(lite.stamps.tokens(receipt_subject(receipt.item_id))) == {"second"}
    assert len(seal_tokens(stamped_seal(lite.stamps, receipt))) == 1
    pem.write_bytes(kept)
    assert set(lite.stamps.tokens(receipt_subject(receipt.item_id))) == {"first", "second"}


def test_what_the_log_says_of_authorities_is_read_once_and_not_among_all_other_events(scene: Scene) -> None:
    """Anybody who is denied something adds an event of the archive's own object."""
    for name in ("first", "second", "third"):
        scene.tsa(name)
    engine, asked = scene.services.archive.db.engine, []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: object) -> None:  # noqa: ANN401
        if "custody_event" in statement:
            asked.append((statement, parameters))

    sqlalchemy.event.listen(engine, "before_cursor_execute", note)
    try:
        assert len(scene.stamps.authorities()) == 3
    finally:
        sqlalchemy.event.remove(engine, "before_cursor_execute", note)
    ((statement, parameters),) = asked
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql("SET enable_seqscan = off")  # so few rows would be read one by one
        explain = "EXPLAIN QUERY PLAN" if engine.dialect.name == "sqlite" else "EXPLAIN"
        plan = str(connection.exec_driver_sql(f"{explain} {statement}", parameters).all())
    assert "ix_custody_event_type" in plan
    assert "object" not in statement.partition("WHERE")[2]


@pytest.mark.parametrize("other", ["same roots", "other roots"])
def test_of_two_additions_of_one_name_at_the_same_time_one_is_refused(other: str, scene: Scene) -> None:
    """Each has found the name free, and asks its authority, when the other does the same."""
    who = scene.services.access.local_operator().actor
    both, refused = threading.Barrier(2), []
    second = "one" if other == "same roots" else "two"
    tsas = [LocalTsa(scene.folder / "a", authority("one")), LocalTsa(scene.folder / "b", authority(second))]
    real = client.ask

    def ask_together(*args: Any) -> Any:  # noqa: ANN401
        both.wait(60)
        return real(*args)

    def add(tsa: LocalTsa) -> None:
        try:
            scene.stamps.add(who, "name", tsa.url, tsa.authority.roots_pem)
        except ConflictError as error:
            refused.append(error.code)

    scene.tsas += tsas
    for tsa in tsas:
        tsa.start()
    with mock.patch.object(service, "ask", ask_together):
        threads = [threading.Thread(target=add, args=(tsa,)) for tsa in tsas]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert refused == ["tsa_name_taken"]
    events = events_of(scene.services, scene.services.archive.about)
    (event,) = [one for one in events if one.type == "time authority change"]
    (added,) = scene.stamps.authorities()
    assert event.details["url"] == added.url


def test_address_with_a_password_is_kept_from_the_log(lite: Scene) -> None:
    who = lite.services.access.local_operator()
    url = "https://user:secret@tsa.example/tsr?key=hidden"
    lite.stamps.add(who.actor, "paid", url, authority().roots_pem, try_it=False)
    (event,) = [one for one in events_of(lite.services, lite.services.archive.about) if "time" in one.type]
    assert event.details["url"] == "https://tsa.example/tsr"
    assert lite.stamps.authorities()[0].url == url
    assert (lite.services.archive.settings.tsas / "paid.json").stat().st_mode & 0o077 == 0
