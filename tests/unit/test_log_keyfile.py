"""Files of verifier keys: each kind in its list, and nothing passed over in silence."""

from __future__ import annotations

import pytest

from evidence_store.errors import EvidenceStoreError
from evidence_store.log.cosignature import ED25519_COSIGNER, format_cosigner_vkey
from evidence_store.log.keyfile import MAX_KEYS, parse_key_file
from tests.attested import witness
from tests.bundles import sample_archive


def test_keys_of_logs_and_of_co_signers_are_told_apart() -> None:
    made = sample_archive("keyfile")
    key = witness("w1.example").key
    line = format_cosigner_vkey(key.name, ED25519_COSIGNER, key.public_key)
    found = parse_key_file(f"# keys\n\n{made.log_vkey}\r\n{made.pq_vkey}\n  {line}\n".encode())
    assert [one.name for one in found.log_keys] == [made.log_name]
    assert list(found.cosigner_keys) == [made.log_mldsa, key]


@pytest.mark.parametrize(
    "data",
    [b"trust me\n", b"\xff", b"a+00000000+\n", b"a+00000000+AQ==\n", b"a+00000000+BA==\n", b"a+b\n"],
)
def test_a_line_that_is_no_key_is_refused(data: bytes) -> None:
    with pytest.raises(EvidenceStoreError) as caught:
        parse_key_file(data)
    assert caught.value.code == "vkey_form"


def test_more_keys_than_anybody_has_are_refused() -> None:
    line = sample_archive("keyfile").log_vkey + "\n"
    assert len(parse_key_file((line * MAX_KEYS).encode()).log_keys) == MAX_KEYS
    with pytest.raises(EvidenceStoreError):
        parse_key_file((line * (MAX_KEYS + 1)).encode())
