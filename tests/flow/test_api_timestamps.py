"""Time stamps over HTTP: first the anonymous caller, the wrong role and the wrong case; then what is told."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from evidence_store.seal import seal_imprint, seal_tokens, verify_seal
from evidence_store.timestamps.token import verify_token
from tests.apis import Api, refused
from tests.checks import assert_clean
from tests.tsa import LocalTsa, start_tsa

EVERYBODY = {"ana", "leo", "aud", "adm"}


@pytest.fixture
def tsa(api: Api, tmp_path: Path) -> Iterator[LocalTsa]:
    """An authority that the archive asks."""
    here = start_tsa(tmp_path)
    who = api.services.access.local_operator()
    api.services.timestamps.add(who.actor, "first", here.url, here.authority.roots_pem)
    yield here
    here.stop()
    assert_clean(api.services)


@pytest.mark.parametrize("path", ["", "/token?tsa=first"])
def test_time_stamps_of_a_receipt_are_for_those_who_may_know_the_item(path: str, api: Api, tsa: LocalTsa) -> None:
    item = api.deposit(b"data")["item"]["id"]
    api.services.checkpoint()
    api.services.timestamps.work()
    url = f"/timestamps{path}{'&' if '?' in path else '?'}subject=receipt:{item}"
    refused(api.get(None, url), 401, "token_required")
    refused(api.get("outsider", url), 404, "unknown_item")
    refused(api.get("outlaw", url), 404, "unknown_item")
    for who in EVERYBODY:
        assert api.get(who, url).status_code == 200


def test_time_stamps_of_a_bundle_and_of_an_audit_are_for_those_who_may_see_them(api: Api, tsa: LocalTsa) -> None:
    item = api.deposit(b"data")["item"]["id"]
    export = api.post("leo", "/exports", json={"items": [item], "purpose": "test"}).json()["id"]
    audit = api.services.audits.run(api.services.access.local_auditor())["id"]
    for subject, allowed, others in (
        (f"bundle:{export}", {"leo", "adm"}, {"ana": (403, "not_allowed"), "outlaw": (404, "unknown_export")}),
        (f"audit:{audit}", {"aud", "adm"}, {"ana": (403, "not_allowed"), "leo": (403, "not_allowed")}),
    ):
        url = f"/timestamps?subject={subject}"
        refused(api.get(None, url), 401, "token_required")
        for who, (status, code) in others.items():
            refused(api.get(who, url), status, code)
        for who in allowed:
            assert api.get(who, url).json()["subject"] == subject


def test_authorities_are_for_every_user_and_hold_no_secret(api: Api, tsa: LocalTsa) -> None:
    refused(api.get(None, "/timestamps/authorities"), 401, "token_required")
    who = api.services.access.local_operator()
    secret = "https://user:secret@tsa.example/tsr?key=hidden"
    api.services.timestamps.add(who.actor, "paid", secret, tsa.authority.roots_pem, try_it=False)
    for name in EVERYBODY | {"outsider"}:
        answer = api.get(name, "/timestamps/authorities")
        first, paid = answer.json()["authorities"]
        assert (first["name"], first["url"]) == ("first", tsa.url)
        assert len(first["roots"][0]) == 64
        assert paid["url"] == "https://tsa.example/tsr"
        assert "secret" not in answer.text
        assert "hidden" not in answer.text


def test_authority_whose_files_were_altered_is_listed_with_what_is_wrong(api: Api, tsa: LocalTsa) -> None:
    who = api.services.access.local_operator()
    api.services.timestamps.add(who.actor, "second", tsa.url, tsa.authority.roots_pem, try_it=False)
    record = api.services.archive.settings.tsas / "first.json"
    kept = record.read_bytes()
    record.write_bytes(kept.replace(b"http://", b"http://evil."))
    shown = api.get("aud", "/timestamps/authorities").json()
    record.write_bytes(kept)
    assert shown["unusable"] == [{"name": "first", "trouble": "timestamp_authority_altered"}]
    assert [one["name"] for one in shown["authorities"]] == ["second"]


def test_state_is_pending_everywhere_until_a_token_is_there_and_done_then(api: Api, tsa: LocalTsa) -> None:
    tsa.mode = "error"
    made = api.deposit(b"data")
    item = made["item"]["id"]
    pending = [{"tsa": "first", "state": "pending", "gen_time": None}]
    assert made["receipt"]["timestamps"] == pending
    api.services.timestamps.work()
    assert api.get("ana", f"/items/{item}").json()["timestamps"] == pending
    shown = api.get("aud", f"/items/{item}/receipt").json()
    assert shown["timestamps"] == pending
    assert seal_tokens(base64.b64decode(shown["p7s_base64"])) == ()
    (stamp,) = api.get("aud", f"/timestamps?subject=receipt:{item}").json()["timestamps"]
    assert (stamp["state"], stamp["attempts"], stamp["trouble"]) == ("pending", 1, "tsa_unreachable")
    assert stamp["next_attempt_at"] > stamp["requested_at"]
    refused(api.get("aud", f"/timestamps/token?subject=receipt:{item}&tsa=first"), 404, "unknown_timestamp")
    tsa.mode = "up"
    api.services.timestamps.retry()
    api.services.timestamps.work()
    (stamp,) = api.get("aud", f"/timestamps?subject=receipt:{item}").json()["timestamps"]
    assert (stamp["state"], stamp["trouble"], stamp["next_attempt_at"]) == ("done", None, None)
    done = [{"tsa": "first", "state": "done", "gen_time": stamp["gen_time"]}]
    assert api.get("ana", f"/items/{item}").json()["timestamps"] == done
    assert api.get("aud", f"/items/{item}/receipt").json()["timestamps"] == done


def test_receipt_is_handed_out_with_its_time_stamp(api: Api, tsa: LocalTsa) -> None:
    item = api.deposit(b"data")["item"]["id"]
    ca = api.services.archive.seal_key().authority
    statement = api.get("aud", f"/items/{item}/receipt.json").content
    plain = api.get("aud", f"/items/{item}/receipt.p7s").content
    assert verify_seal(plain, statement, [ca]).tokens == ()
    api.services.timestamps.work()
    stamped = api.get("aud", f"/items/{item}/receipt.p7s").content
    (token,) = verify_seal(stamped, statement, [ca]).tokens
    verify_token(token, seal_imprint(plain), "sha256", tsa.roots)
    shown = api.get("aud", f"/items/{item}/receipt").json()
    assert base64.b64decode(shown["p7s_base64"]) == stamped
    alone = api.get("aud", f"/timestamps/token?subject=receipt:{item}&tsa=first")
    assert alone.content == token
    assert alone.headers["content-type"] == "application/vnd.etsi.timestamp-token"


def test_checkpoint_is_stamped_and_its_token_is_handed_out(api: Api, tsa: LocalTsa) -> None:
    api.deposit(b"data")
    note = api.services.checkpoint()
    api.services.timestamps.work()
    size = int(note.split(b"\n")[1])
    token = api.get("ana", f"/timestamps/token?subject=checkpoint:{size}&tsa=first").content
    assert verify_token(token, hashlib.sha256(note).digest(), "sha256", tsa.roots).nonce is not None
    refused(api.get(None, f"/timestamps/token?subject=checkpoint:{size}&tsa=first"), 401, "token_required")
    assert api.get("ana", "/timestamps?subject=checkpoint:999999").json()["timestamps"] == []


@pytest.mark.parametrize(
    ("subject", "code"),
    [
        ("", "unknown_subject"),
        ("nothing", "unknown_subject"),
        ("checkpoint:x", "unknown_subject"),
        ("checkpoint:-1", "unknown_subject"),
        ("item:5f1d7c1e-6c0f-4a53-9b0e-0f5cf1f6a001", "unknown_subject"),
        ("receipt:../../x", "unknown_subject"),
        ("receipt:5f1d7c1e-6c0f-4a53-9b0e-0f5cf1f6a001", "unknown_item"),
        ("bundle:5f1d7c1e-6c0f-4a53-9b0e-0f5cf1f6a001", "unknown_export"),
        ("audit:5f1d7c1e-6c0f-4a53-9b0e-0f5cf1f6a001", "unknown_audit"),
        ("receipt:------------------------------------", "unknown_item"),
    ],
)
def test_time_stamps_of_what_is_not_there(subject: str, code: str, lite: Api) -> None:
    refused(lite.get("adm", f"/timestamps?subject={subject}"), 404, code)
    refused(lite.get("adm", f"/timestamps/token?subject={subject}&tsa=first"), 404, code)


def test_metrics_count_every_state_of_every_authority_from_zero_on(api: Api, tsa: LocalTsa) -> None:
    def counted() -> dict[str, int]:
        lines = api.get("aud", "/metrics").text.splitlines()
        found = [line.rpartition(" ") for line in lines if line.startswith("catena_timestamps{")]
        return {name.partition('state="')[2].partition('"')[0]: int(value) for name, _, value in found}

    assert counted() == {"pending": 0, "done": 0, "failed": 0}
    tsa.mode = "refuse"
    api.deposit(b"data")
    assert counted() == {"pending": 1, "done": 0, "failed": 0}
    api.services.timestamps.work()
    assert counted()["failed"] == 1
    first = api.get("ana", "/timestamps/authorities").json()["authorities"][0]
    assert (first["done"], first["failed"]) == (0, 1)
