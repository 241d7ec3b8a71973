"""Time-stamp requests, and the token inside a response (RFC 3161, section 2.4). No network here.

A response is accepted for what it holds, not for what it says: the token still has to be verified
(`evidence_store.timestamps.token`), and its nonce compared with the request's.
"""

from __future__ import annotations

from typing import Final

from evidence_store import asn1
from evidence_store.errors import EvidenceStoreError
from evidence_store.timestamps.algorithms import SIZES, digest_identifier

MAX_RESPONSE: Final = 65_536

_VERSION_1: Final = asn1.integer(1)
_TRUE: Final = asn1.encode(asn1.BOOLEAN, b"\xff")
_GRANTED: Final = {0, 1}  # granted, grantedWithMods
_REJECTION: Final = 2
# PKIFailureInfo bits (RFC 3161, section 2.4.2) that the same question will meet again
_PERMANENT: Final = {
    0: "badAlg",
    2: "badRequest",
    5: "badDataFormat",
    15: "unacceptedPolicy",
    16: "unacceptedExtension",
}
_TRANSIENT: Final = {14: "timeNotAvailable", 17: "addInfoNotAvailable", 25: "systemFailure"}
_MAX_REASON: Final = 200


def build_request(imprint: bytes, algorithm: str, nonce: int) -> bytes:
    """A TimeStampReq that asks for a token with the authority's certificate in it.

    Args:
        imprint: the digest to be stamped.
        algorithm: `sha256`, `sha384` or `sha512`.
        nonce: a number not used before, 0 or more.

    Returns:
        DER, to be sent as `application/timestamp-query`.

    Raises:
        EvidenceStoreError: `timestamp_algorithm_unsupported`, `bad_imprint`, `bad_nonce`.
    """
    identifier = digest_identifier(algorithm)
    if len(imprint) != SIZES[algorithm]:
        raise EvidenceStoreError("bad_imprint", f"a {algorithm} digest has {SIZES[algorithm]} bytes")
    if nonce < 0:
        raise EvidenceStoreError("bad_nonce", "a nonce is not negative")
    message_imprint = asn1.encode(asn1.SEQUENCE, identifier, asn1.encode(asn1.OCTET_STRING, imprint))
    return asn1.encode(asn1.SEQUENCE, _VERSION_1, message_imprint, asn1.integer(nonce), _TRUE)


def token_of_response(response: bytes) -> bytes:
    """The token in a TimeStampResp; nothing in it is verified yet.

    Returns:
        DER of the ContentInfo.

    Raises:
        EvidenceStoreError: `timestamp_refused` (asking the same again is of no use), `timestamp_unavailable` (it may
            be), `timestamp_response_malformed`.
    """
    if len(response) > MAX_RESPONSE:
        raise EvidenceStoreError("timestamp_response_malformed", f"a response has at most {MAX_RESPONSE} bytes")
    try:
        outer = asn1.Reader(response)
        reader = outer.enter(asn1.SEQUENCE)
        outer.end()
        _require_granted(reader.enter(asn1.SEQUENCE))
        token = reader.take_element(asn1.SEQUENCE)
        reader.end()
    except asn1.Asn1Error as error:
        detail = f"this is no time-stamp response in DER: {error.detail}"
        raise EvidenceStoreError("timestamp_response_malformed", detail) from None
    return token


def granted_response(token: bytes) -> bytes:
    """A TimeStampResp with status granted around a token, for programs that read nothing else."""
    return asn1.encode(asn1.SEQUENCE, asn1.encode(asn1.SEQUENCE, asn1.integer(0)), token)


def _require_granted(status_info: asn1.Reader) -> None:
    status = status_info.take_integer()
    if status in _GRANTED:
        return
    reason = ""
    if status_info.tag() == asn1.SEQUENCE:
        texts = status_info.enter(asn1.SEQUENCE).elements()
        reason = _printable(b" ".join(asn1.Reader(text).take(asn1.UTF8_STRING) for text in texts))
    bits = _bits(status_info.take(asn1.BIT_STRING)) if status_info.tag() == asn1.BIT_STRING else set()
    status_info.end()
    names = [name for bit, name in (_PERMANENT | _TRANSIENT).items() if bit in bits]
    permanent = status == _REJECTION and bits & _PERMANENT.keys()  # else it may pass: a quota, say
    detail = f"the authority answered status {status} ({', '.join(names) or 'no reason'}): {reason or 'no text'}"
    raise EvidenceStoreError("timestamp_refused" if permanent else "timestamp_unavailable", detail)


def _bits(contents: bytes) -> set[int]:
    """Numbers of the bits that are set in a BIT STRING's contents."""
    return {octet * 8 + bit for octet, value in enumerate(contents[1:]) for bit in range(8) if value & 0x80 >> bit}


def _printable(text: bytes) -> str:
    """What an authority wrote, cut and without anything that commands a terminal."""
    decoded = text[: 4 * _MAX_REASON].decode("utf-8", "replace")
    return "".join(each if each.isprintable() else "?" for each in decoded)[:_MAX_REASON]
