"""GET /keys: what a stranger can learn of the archive's keys, and what nobody can do to them over the network."""

from __future__ import annotations

from pathlib import Path
from unittest import mock

from app.api.app import create_app
from app.keyring.rotation import Wish
from evidence_store.keys import file as key_file
from evidence_store.log.note import open_checkpoint, parse_vkey
from tests.apis import Api, TestClient, refused
from tests.archives import make_archive


def test_anonymous_caller_reads_every_key_and_what_became_of_it(lite: Api) -> None:
    answer = lite.get(None, "/keys")
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-cache"
    told = answer.json()
    assert told["archive"]["id"] == lite.services.archive.identity.id
    assert [(key["use"], key["current"]) for key in told["keys"]] == [
        (use, True) for use in ("ca", "seal", "log", "pq")
    ]
    assert {(key["retired_at"], key["compromised_since"]) for key in told["keys"]} == {(None, None)}
    assert "PRIVATE" not in answer.text
    assert lite.get("ana", "/keys").json() == told
    log = next(key["material"] for key in told["keys"] if key["use"] == "log")
    open_checkpoint(lite.get(None, "/log/checkpoint").content, parse_vkey(log))


def test_nobody_changes_keys_over_the_network(lite: Api) -> None:
    refused(lite.post(None, "/keys", json={}), 401, "token_required")
    for who in ("ana", "leo", "aud", "adm"):
        refused(lite.post(who, "/keys", json={"use": "seal"}), 405, "method_not_allowed")
        refused(lite.post(who, "/keys/seal/rotate", json={}), 404, "not_found")


def test_retired_and_stolen_keys_are_told_and_the_reasons_are_not_for_strangers(tmp_path: Path) -> None:
    with mock.patch.object(key_file, "SCRYPT_P", 1):
        services = make_archive(tmp_path, fresh=True)
        who = services.access.local_operator()
        services.keyring.rotate(who, Wish("seal", "Ana has left"))
        services.keyring.compromise(who, "log", "2026-01-31", reason="her laptop was stolen")
        services.keyring.rotate(who, Wish("log"))
    answer = TestClient(create_app(services)).get("/api/v1/keys")
    assert "has left" not in answer.text  # "Ana" alone stands in some base64 now and then
    assert "laptop" not in answer.text
    told = {(key["use"], key["current"]): key for key in answer.json()["keys"]}
    assert len(told) == len(answer.json()["keys"]) == 6
    assert told["seal", False]["retired_at"] == told["seal", True]["introduced_at"]
    assert told["log", False]["compromised_since"] == "2026-01-31T00:00:00.000000Z"
    assert told["log", True]["compromised_since"] is None
    services.archive.db.close()
