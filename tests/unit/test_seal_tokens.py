"""Seals with time stamps (CAdES B-T): the one form they have, and what cannot be slipped into it."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from evidence_store import asn1, cades
from evidence_store.errors import EvidenceStoreError
from evidence_store.seal import SealInfo, add_tokens, seal_imprint, seal_tokens, verify_seal, without_tokens
from evidence_store.timestamps.token import verify_token
from tests.sealing import DATA, SIGNED, Identity, identity, new_identity
from tests.tokens import ESS_V2, Forgery, attribute, octets, sequence
from tests.tsa import authority

TOKEN_NAME = asn1.oid("1.2.840.113549.1.9.16.2.14")


@pytest.fixture(scope="module")
def me() -> Identity:
    return identity()


def token_over(der: bytes, name: str = "first", serial_time: int = 0) -> bytes:
    moment = SIGNED.replace(microsecond=0, second=serial_time)
    return Forgery(authority(name).tsa, seal_imprint(der), at=moment).der()


def verified(der: bytes, me: Identity) -> SealInfo:
    return verify_seal(der, DATA, [me.ca])


def code_of(der: bytes, me: Identity) -> str:
    with pytest.raises(EvidenceStoreError) as caught:
        verified(der, me)
    return caught.value.code


def stamped(me: Identity, *names: str) -> bytes:
    der = me.seal()
    return add_tokens(der, [token_over(der, name) for name in names or ("first",)])


def test_stamped_seal_verifies_and_gives_its_tokens(me: Identity) -> None:
    plain = me.seal()
    token = token_over(plain)
    info = verified(add_tokens(plain, [token]), me)
    assert info.tokens == (token,)
    assert replace(info, tokens=()) == verified(plain, me)
    assert verify_token(info.tokens[0], seal_imprint(plain), "sha256", authority().roots).gen_time


def test_imprint_is_the_digest_of_the_signature_value_alone(me: Identity) -> None:
    der = me.seal()
    assert seal_imprint(der) == hashlib.sha256(cades.parse(der).signature).digest()
    assert seal_imprint(stamped(me)) != seal_imprint(der)  # another seal, another signature
    assert seal_imprint(add_tokens(der, [token_over(der)])) == seal_imprint(der)


def test_tokens_come_off_again_and_leave_the_very_seal_that_was_made(me: Identity) -> None:
    plain = me.seal()
    first, second = token_over(plain), token_over(plain, "second")
    both = add_tokens(plain, [first, second])
    assert without_tokens(both) == plain == without_tokens(plain)
    assert set(seal_tokens(both)) == {first, second}
    assert seal_tokens(plain) == ()


def test_order_and_repetition_of_adding_make_no_difference(me: Identity) -> None:
    plain = me.seal()
    tokens = [token_over(plain, name) for name in ("first", "second", "third")]
    whole = add_tokens(plain, tokens)
    assert add_tokens(plain, reversed(tokens)) == whole
    assert add_tokens(add_tokens(plain, tokens[:1]), tokens) == whole
    assert add_tokens(whole, []) == whole
    assert add_tokens(plain, [*tokens, *tokens]) == whole


def test_token_of_another_seal_is_refused(me: Identity) -> None:
    plain, other = me.seal(), me.seal()
    foreign = token_over(other)
    with pytest.raises(EvidenceStoreError) as caught:
        add_tokens(plain, [foreign])
    assert caught.value.code == "timestamp_imprint_mismatch"
    forged = replace(cades.parse(plain), tokens=(foreign,)).encode()
    assert code_of(forged, me) == "timestamp_imprint_mismatch"


def test_token_over_the_sealed_bytes_instead_of_the_signature_is_refused(me: Identity) -> None:
    token = Forgery(authority().tsa, hashlib.sha256(DATA).digest()).der()
    forged = replace(cades.parse(me.seal()), tokens=(token,)).encode()
    assert code_of(forged, me) == "timestamp_imprint_mismatch"


def test_token_with_a_longer_imprint_of_the_signature_is_refused(me: Identity) -> None:
    """There is one form: SHA-256."""
    parts = cades.parse(me.seal())
    imprint = hashlib.sha512(parts.signature).digest()
    token = Forgery(authority().tsa, imprint, imprint_algorithm="sha512").der()
    assert code_of(replace(parts, tokens=(token,)).encode(), me) == "timestamp_imprint_mismatch"


def test_something_else_in_place_of_a_token_is_refused(me: Identity) -> None:
    parts = cades.parse(me.seal())
    for junk in (sequence(), sequence(octets(b"a message that nobody signed")), me.seal()):
        assert code_of(replace(parts, tokens=(junk,)).encode(), me) == "timestamp_malformed"
    assert code_of(replace(parts, tokens=(octets(b"x"),)).encode(), me) == "seal_malformed"


def test_other_unsigned_attributes_are_refused(me: Identity) -> None:
    der = stamped(me)
    other = der.replace(TOKEN_NAME, asn1.oid("1.2.840.113549.1.9.16.2.15"))
    assert code_of(other, me) == "seal_attributes_wrong"
    countersigned = _with_unsigned(me, attribute(asn1.oid("1.2.840.113549.1.9.6"), sequence()))
    assert code_of(countersigned, me) == "seal_attributes_wrong"
    named = _with_unsigned(me, attribute(ESS_V2, sequence()))
    assert code_of(named, me) == "seal_attributes_wrong"


def _with_unsigned(me: Identity, *attributes: bytes, ordered: bool = True) -> bytes:
    """A seal with freely chosen unsigned attributes."""
    unsigned = asn1.encode(asn1.context(1), *(sorted(attributes) if ordered else attributes))
    info = asn1.Reader(me.seal()).enter(asn1.SEQUENCE)
    content_type = info.take_element(asn1.OBJECT_IDENTIFIER)
    elements = info.enter(asn1.context(0)).enter(asn1.SEQUENCE).elements()
    signer = asn1.Reader(elements[4]).enter(asn1.SET).take(asn1.SEQUENCE)
    elements[4] = asn1.set_of(sequence(signer, unsigned))
    return sequence(content_type, asn1.encode(asn1.context(0), sequence(*elements)))


def test_two_values_in_one_attribute_two_same_tokens_or_another_order(me: Identity) -> None:
    """As ways to write one thing there would be many; each but the one is refused."""
    tokens = [token_over(me.seal(), name) for name in ("first", "second")]
    attributes = sorted(attribute(TOKEN_NAME, token) for token in tokens)
    assert code_of(_with_unsigned(me, attribute(TOKEN_NAME, *tokens)), me) == "seal_malformed"
    assert code_of(_with_unsigned(me, attribute(TOKEN_NAME)), me) == "seal_malformed"
    assert code_of(_with_unsigned(me, *attributes[:1] * 2), me) == "seal_malformed"
    assert code_of(_with_unsigned(me, *attributes[::-1], ordered=False), me) == "seal_malformed"
    assert code_of(_with_unsigned(me), me) == "seal_malformed"


def test_more_tokens_than_a_seal_may_have(me: Identity) -> None:
    plain = me.seal()
    many = [token_over(plain, serial_time=second) for second in range(17)]
    assert len(seal_tokens(add_tokens(plain, many[:16]))) == 16
    with pytest.raises(EvidenceStoreError) as caught:
        add_tokens(plain, many)
    assert caught.value.code == "seal_malformed"


def test_time_stamp_does_not_make_a_bad_seal_good(me: Identity) -> None:
    der = stamped(me)
    with pytest.raises(EvidenceStoreError) as caught:
        verify_seal(der, DATA + b" ", [me.ca])
    assert caught.value.code == "seal_digest_mismatch"
    with pytest.raises(EvidenceStoreError) as caught:
        verify_seal(der, DATA, [new_identity().ca])
    assert caught.value.code == "seal_untrusted"


def test_whether_a_token_can_be_trusted_is_not_the_seals_to_say(me: Identity) -> None:
    """The seal holds; the token in it is of an authority that nobody knows."""
    der = stamped(me, "stranger")
    (token,) = verified(der, me).tokens
    with pytest.raises(EvidenceStoreError) as caught:
        verify_token(token, seal_imprint(der), "sha256", authority().roots)
    assert caught.value.code == "timestamp_untrusted"
