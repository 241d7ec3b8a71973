"""Answers of time-stamping authorities that are not what they should be: none is ever called done."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from app.timestamps.models import TimestampRow
from app.timestamps.service import receipt_subject
from tests.databases import BACKENDS
from tests.stamping import Scene, staged
from tests.tsa import LocalTsa, Mode, Wanted, authority, expired


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


WRONG: list[tuple[Mode, str]] = [
    ("garbage", "timestamp_response_malformed"),
    ("huge", "timestamp_response_malformed"),
    ("error", "tsa_unreachable"),
    ("redirect", "tsa_unreachable"),
    ("busy", "timestamp_unavailable"),
    ("no certificate", "timestamp_untrusted"),
    ("wrong nonce", "timestamp_nonce_mismatch"),
    ("no nonce", "timestamp_nonce_mismatch"),
    ("other bytes", "timestamp_imprint_mismatch"),
]


@pytest.mark.parametrize(("mode", "code"), WRONG)
def test_wrong_answer_is_never_called_done_and_is_asked_for_again(mode: Mode, code: str, lite: Scene) -> None:
    tsa = lite.tsa()
    tsa.mode = mode
    receipt = lite.deposit().receipt
    assert receipt is not None
    subject = receipt_subject(receipt.item_id)
    lite.stamps.work()
    states = [row for row in lite.rows() if row.attempts]
    assert [(row.state, row.response, row.gen_time) for row in states] == [("pending", None, None)]
    assert states[0].last_error is not None
    assert states[0].last_error.startswith(f"{code}: ")
    assert lite.stamps.tokens(subject) == {}
    tsa.mode = "up"
    lite.clock.wait(6)
    lite.stamps.work()
    assert lite.one(subject).state == "done"


def test_answer_to_an_earlier_request_is_refused_though_it_is_over_the_same_bytes(lite: Scene) -> None:
    tsa = lite.tsa()
    object.__setattr__(lite.services.archive.settings, "timestamp_seconds", 10**9)
    receipt = lite.deposit().receipt
    assert receipt is not None
    lite.stamps.work()
    first = next(row for row in lite.rows() if row.subject.startswith("receipt:"))
    tsa.answers.append(first.response or b"")
    with lite.services.archive.db.write() as session:
        session.delete(session.get_one(TimestampRow, first.id))
        lite.stamps.stamps.want(session, first.subject, first.imprint, ["first"])
    tsa.mode = "replay"
    lite.stamps.work()
    state = lite.one(first.subject)
    assert state.state == "pending"
    assert state.trouble is not None
    assert state.trouble.startswith("timestamp_nonce_mismatch: ")
    tsa.mode = "up"
    lite.clock.wait(6)
    lite.stamps.work()
    assert lite.one(first.subject).state == "done"


def test_content_type_is_not_what_is_believed(lite: Scene) -> None:
    lite.tsa().mode = "wrong type"
    lite.deposit()
    lite.stamps.work()
    assert {row.state for row in lite.rows()} == {"done"}


def test_refusal_for_good_is_failed_at_once_and_can_be_asked_again(scene: Scene) -> None:
    tsa = scene.tsa()
    tsa.mode = "refuse"
    receipt = scene.deposit().receipt
    assert receipt is not None
    for _ in range(3):
        scene.stamps.work()
    assert {row.state for row in scene.rows()} == {"failed"}
    error = scene.rows()[0].last_error
    assert error is not None
    assert error.startswith("timestamp_refused: the authority answered status 2 (badAlg)")
    assert "\x1b" not in error
    asked = len(tsa.requests)
    scene.clock.wait(86_400)
    scene.stamps.work()
    assert len(tsa.requests) == asked
    tsa.mode = "up"
    assert scene.stamps.retry("first") == len(scene.rows())
    scene.stamps.work()
    assert {row.state for row in scene.rows()} == {"done"}


def test_authority_that_takes_no_sha_256_refuses_for_good(lite: Scene) -> None:
    lite.tsa().digests = "sha512"
    lite.deposit()
    lite.stamps.work()
    failed = [row for row in lite.rows() if row.state == "failed"]
    assert len(failed) == 1
    assert (failed[0].last_error or "").startswith("timestamp_refused: ")


def test_token_under_a_root_that_is_not_the_authoritys_is_not_taken(lite: Scene) -> None:
    lite.tsa("first", roots=authority("stranger").roots_pem)
    lite.deposit()
    lite.stamps.work()
    assert {row.state for row in lite.rows()} == {"pending"}
    assert any((row.last_error or "").startswith("timestamp_untrusted: ") for row in lite.rows())


def test_roots_of_one_authority_do_not_count_for_another(lite: Scene) -> None:
    """The two are asked in one process, one after the other: lists of roots must not run together."""
    lite.tsa("good")
    lite.tsa("bad", tsa=LocalTsa(lite.folder / "bad", authority("good")), roots=authority("other").roots_pem)
    receipt = lite.deposit().receipt
    assert receipt is not None
    for _ in range(2):
        lite.stamps.work()
        lite.clock.wait(61)
    assert lite.states(receipt_subject(receipt.item_id)) == {"bad": "pending", "good": "done"}


def test_certificate_that_had_expired_at_the_tokens_time_is_not_taken(lite: Scene) -> None:
    lite.tsa("expired", tsa=LocalTsa(lite.folder / "expired", expired()))
    lite.deposit()
    lite.stamps.work()
    assert any((row.last_error or "").startswith("timestamp_certificate_expired: ") for row in lite.rows())
    assert {row.state for row in lite.rows()} == {"pending"}


@pytest.mark.parametrize(
    "changes",
    [
        {"purposes": (ExtendedKeyUsageOID.CODE_SIGNING,)},
        {"purposes": (ExtendedKeyUsageOID.TIME_STAMPING, ExtendedKeyUsageOID.CODE_SIGNING)},
        {"purposes_critical": False},
    ],
    ids=str,
)
def test_certificate_for_something_else_is_not_taken(changes: dict[str, Any], lite: Scene) -> None:
    good = authority("first")
    bad = replace(good, tsa=replace(Wanted("first TSA"), **changes).issue(good.root))
    lite.tsa(tsa=LocalTsa(lite.folder / "bad", bad, forged=True))
    lite.deposit()
    lite.stamps.work()
    assert any((row.last_error or "").startswith("timestamp_certificate_unsuitable: ") for row in lite.rows())
    assert {row.state for row in lite.rows()} == {"pending"}


@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
def test_authorities_with_other_kinds_of_keys_and_an_intermediate(kind: Any, lite: Scene) -> None:  # noqa: ANN401
    made = authority(f"kind {kind}", kind, intermediate=True)
    lite.tsa("kind", tsa=LocalTsa(lite.folder / "kind", made, forged=kind == "ed25519"))
    lite.deposit()
    lite.stamps.work()
    assert {row.state for row in lite.rows()} == {"done"}
