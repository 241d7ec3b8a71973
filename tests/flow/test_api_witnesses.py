"""Witnesses over the API: public, by key and size; addresses and error texts are nobody's business."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.custody.models import CheckpointRow
from app.custody.vkeys import log_keys, verifier_lines
from app.keyring.rotation import Wish
from evidence_store.log.cosignature import MLDSA44_COSIGNER, parse_cosigner_vkey, verify_cosignatures
from evidence_store.log.note import open_checkpoint
from tests.apis import Api, refused
from tests.checks import assert_clean
from tests.witnesses import listening, make_witness, policy_text, vkeys_of

PLACES = ("/api/v1/log", "/log")


def _follow(api: Api, vkey: str, url: str) -> None:
    actor = api.services.access.local_operator().actor
    api.services.witnessing.set_policy(actor, policy_text(("ngo-b", vkey, url)))


@pytest.mark.parametrize("place", PLACES)
def test_the_anonymous_caller_sees_keys_and_sizes_and_no_address(api: Api, place: str, tmp_path: Path) -> None:
    folder = make_witness(tmp_path / "w", "ngo-b.example/w", *verifier_lines(api.services.archive.settings.keys))
    vkey = vkeys_of(folder)[1]
    before = api.client.get(f"{place}/witnesses").json()
    assert (before["quorum"], before["met"], before["witnesses"]) == (None, None, [])
    refused(api.client.get(f"{place}/checkpoint.cosigned"), 404, "no_cosigned_checkpoint")
    with listening(folder) as url:
        _follow(api, vkey, url)
        api.deposit(b"one")
        api.services.checkpoint()
        refused(api.client.get(f"{place}/checkpoint.cosigned"), 404, "no_cosigned_checkpoint")
        api.services.witnessing.work()
    answer = api.client.get(f"{place}/witnesses")
    assert url not in answer.text
    shown = answer.json()
    assert (shown["quorum"], shown["met"], shown["contradicted"]) == ("enough", True, False)
    (witness,) = shown["witnesses"]
    assert set(witness) == {"name", "vkey", "size", "last_ok_at", "contradicts"}
    assert (witness["name"], witness["vkey"], witness["size"]) == ("ngo-b", vkey, shown["met_size"])
    cosigned = api.client.get(f"{place}/checkpoint.cosigned")
    assert cosigned.headers["content-type"] == "text/plain; charset=utf-8"
    assert len(verify_cosignatures(cosigned.content, [parse_cosigner_vkey(vkey)])) == 1
    keys = log_keys(api.services.archive.settings.keys)
    assert open_checkpoint(cosigned.content, keys[0]).size == shown["met_size"]
    assert_clean(api.services)


def test_the_cosigned_checkpoint_stays_while_a_newer_one_waits(api: Api, tmp_path: Path) -> None:
    folder = make_witness(tmp_path / "w", "ngo-b.example/w", *verifier_lines(api.services.archive.settings.keys))
    with listening(folder) as url:
        _follow(api, vkeys_of(folder)[0], url)
        api.services.checkpoint()
        api.services.witnessing.work()
        cosigned = api.client.get("/log/checkpoint.cosigned").content
        api.deposit(b"more")
        base = api.client.get("/log/checkpoint").content
    assert api.client.get("/log/checkpoint.cosigned").content == cosigned
    shown = api.client.get("/log/witnesses").json()
    assert (shown["met"], shown["size"] > shown["met_size"]) == (False, True)
    assert not cosigned.startswith(base)


def test_the_log_signs_with_mldsa_too_and_publishes_the_key(api: Api) -> None:
    note = api.client.get("/log/checkpoint").content
    own = api.client.get("/log/vkey").text.split()[1]
    (found,) = verify_cosignatures(note, [parse_cosigner_vkey(own)])
    assert (found.key.name, found.key.algorithm) == (api.services.archive.identity.log, MLDSA44_COSIGNER)


def test_a_cosigned_checkpoint_that_was_exchanged_is_not_handed_to_anybody(api: Api, tmp_path: Path) -> None:
    folder = make_witness(tmp_path / "w", "ngo-b.example/w", *verifier_lines(api.services.archive.settings.keys))
    with listening(folder) as url:
        _follow(api, vkeys_of(folder)[0], url)
        older = api.services.checkpoint()
        api.deposit(b"one")
        api.services.checkpoint()
        api.services.witnessing.work()
    assert api.client.get("/log/checkpoint.cosigned").status_code == 200
    with api.services.archive.db.write() as session:
        size = api.services.witnessing.met_size()
        session.get_one(CheckpointRow, size).note = older
    refused(api.client.get("/log/checkpoint.cosigned"), 500, "checkpoint_damaged")


def test_a_cosigned_checkpoint_of_a_key_found_compromised_is_gone_and_is_no_alarm(api: Api, tmp_path: Path) -> None:
    who = api.services.access.local_operator()
    folder = make_witness(tmp_path / "w", "ngo-b.example/w", *verifier_lines(api.services.archive.settings.keys))
    with listening(folder) as url:
        _follow(api, vkeys_of(folder)[0], url)
        api.services.checkpoint()
        api.services.witnessing.work()
    assert api.client.get("/log/checkpoint.cosigned").status_code == 200
    api.services.keyring.compromise(who, "log", datetime.now(UTC).isoformat(), reason="the laptop was stolen")
    refused(api.client.get("/log/checkpoint.cosigned"), 404, "no_cosigned_checkpoint")
    api.services.keyring.rotate(who, Wish("log"))
    refused(api.client.get("/log/checkpoint.cosigned"), 404, "no_cosigned_checkpoint")
    with api.services.archive.db.write() as session:
        size = api.services.witnessing.met_size()
        stored = session.get_one(CheckpointRow, size)
        stored.note = stored.note.replace(b"\n\n", b"x\n\n", 1)
    refused(api.client.get("/log/checkpoint.cosigned"), 500, "checkpoint_damaged")
