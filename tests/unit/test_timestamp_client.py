"""What one request makes of an authority's answer, and what the second verifier has to say in it."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.timestamps.authorities import Authority as Asked
from app.timestamps.client import _ask_second_opinion, ask, in_order, new_client
from app.timestamps.rules import delay_after, gives_up
from evidence_store import asn1
from evidence_store.errors import EvidenceStoreError
from evidence_store.timestamps.roots import parse_roots
from evidence_store.timestamps.token import parse_token
from tests.tokens import Forgery
from tests.tsa import Kind, LocalTsa, authority

IMPRINT = hashlib.sha256(b"what is stamped").digest()


@pytest.fixture
def tsa(tmp_path: Path) -> Iterator[LocalTsa]:
    here = LocalTsa(tmp_path, authority("client", "rsa"))
    with here:
        yield here


def asked(tsa: LocalTsa, url: str | None = None) -> Asked:
    return Asked("client", url or tsa.url, "", parse_roots(tsa.authority.roots_pem))


def code_of(tsa: LocalTsa, url: str | None = None, seconds: float = 30) -> tuple[str, str]:
    with new_client(seconds) as client, pytest.raises(Exception) as caught:
        ask(client, asked(tsa, url), IMPRINT, seconds)
    return getattr(caught.value, "code", repr(caught.value)), str(caught.value)


def test_answer_that_drips_in_byte_by_byte_is_cut_off(tsa: LocalTsa) -> None:
    tsa.mode, tsa.slow_seconds = "drip", 600.0
    code, text = code_of(tsa, seconds=2)
    assert code == "tsa_unreachable"
    assert "did not come within 2 s" in text


def test_silent_authority_is_left_after_the_time_limit(tsa: LocalTsa) -> None:
    tsa.mode, tsa.slow_seconds = "slow", 600.0
    code, text = code_of(tsa, seconds=0.5)
    assert code == "tsa_unreachable"
    assert "ReadTimeout" in text or "did not come within" in text


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "http://name.invalid/tsr", "http://[::ffff:300.1.1.1]/", "x"])
def test_address_where_nobody_is(url: str, tsa: LocalTsa) -> None:
    assert code_of(tsa, url)[0] == "tsa_unreachable"


def test_server_that_speaks_no_tls_behind_an_https_address(tsa: LocalTsa) -> None:
    assert code_of(tsa, tsa.url.replace("http:", "https:"))[0] == "tsa_unreachable"


def test_request_is_as_the_standard_wants_it_and_every_nonce_is_new(tsa: LocalTsa) -> None:
    with new_client(30) as client:
        tokens = [ask(client, asked(tsa), IMPRINT, 30).token for _ in range(3)]
    nonces = {token.nonce for token in tokens}
    assert len(nonces) == 3
    assert all(nonce is not None and 0 <= nonce < 2**64 for nonce in nonces)


@pytest.mark.parametrize(
    ("kind", "changes", "said"),
    [
        ("rsa", {"pss": True}, "has no RSA-PSS"),
        ("ed25519", {}, "has no Ed25519"),
        ("ec", {"by_key_identifier": True}, "has no signers named by key"),
    ],
)
def test_good_token_that_the_other_verifier_cannot_take_is_taken_and_that_is_logged(
    kind: Kind, changes: dict[str, Any], said: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "catena.timestamps")
    with LocalTsa(tmp_path, authority("odd", kind), forged=True, changes=changes) as tsa, new_client(30) as client:
        assert ask(client, asked(tsa), IMPRINT, 30).token.imprint == IMPRINT
    assert said in caplog.text


def test_no_word_of_the_other_verifier_is_needed_otherwise(tsa: LocalTsa, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "catena.timestamps")
    with new_client(30) as client:
        ask(client, asked(tsa), IMPRINT, 30)
    assert "alone" not in caplog.text


def test_token_that_the_other_verifier_refuses_is_not_taken(tsa: LocalTsa) -> None:
    """Ours has said yes, we suppose; asked under other roots, or for another nonce, the other says no."""
    token = parse_token(tsa.token(IMPRINT, nonce=7))
    _ask_second_opinion(token, 7, asked(tsa))
    stranger = Asked("stranger", tsa.url, "", parse_roots(authority("stranger").roots_pem))
    for nonce, under in ((8, asked(tsa)), (7, stranger)):
        with pytest.raises(EvidenceStoreError) as caught:
            _ask_second_opinion(token, nonce, under)
        assert caught.value.code == "timestamp_second_opinion"


def test_token_that_the_other_verifier_cannot_read_is_not_taken(tmp_path: Path) -> None:
    """A name that is no name: it is read over here, and we do not want to be alone with it."""
    name = asn1.encode(asn1.context(0), asn1.encode(asn1.context(4), b"\x04\x00"))
    here = LocalTsa(tmp_path, authority("odd"), forged=True, changes={"after_nonce": name})
    with here, new_client(30) as client, pytest.raises(EvidenceStoreError) as caught:
        ask(client, asked(here), IMPRINT, 30)
    assert caught.value.code == "timestamp_second_opinion"


def test_token_without_certificates_is_put_in_no_other_order() -> None:
    der = Forgery(authority("client").tsa, IMPRINT, certificates=()).der()
    assert in_order(der) == der


def test_delays_double_up_to_an_hour_however_often_it_failed() -> None:
    assert [delay_after(attempts) for attempts in (1, 2, 3, 10, 11, 12, 1000)] == [5, 10, 20, 2560, 3600, 3600, 3600]


def test_only_a_refusal_or_a_week_of_failing_is_the_end() -> None:
    assert gives_up("timestamp_refused", 0)
    assert not gives_up("timestamp_unavailable", 7 * 86_400)
    assert gives_up("tsa_unreachable", 7 * 86_400 + 1)
