"""Asking one authority for one token, and believing nothing of the answer that is not proven.

A token is accepted when our own verifier and `rfc3161-client`'s both accept it. Some tokens that are good by the
standard that program cannot take: those with RSA-PSS or Ed25519 signatures, and those whose signer is named by key
identifier. For them our verifier alone decides, and the log says so. It also wants the certificates in the order of
DER, which openssl's tokens do not have; they are not signed, so it is given them in that order.
"""

from __future__ import annotations

import logging
import secrets
import ssl
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

from app.errands import NoAnswerError, TooLargeError
from app.errors import CatenaError
from app.timestamps.authorities import Authority
from evidence_store import asn1
from evidence_store.errors import EvidenceStoreError
from evidence_store.timestamps.request import MAX_RESPONSE, build_request, granted_response, token_of_response
from evidence_store.timestamps.token import TimestampToken, verify_token

if TYPE_CHECKING:  # an HTTP client is loaded when somebody is asked
    from app.outgoing import Outgoing

log = logging.getLogger("catena.timestamps")

IMPRINT: Final = "sha256"
_HEADERS: Final = {
    "Content-Type": "application/timestamp-query",
    "Accept": "application/timestamp-reply",
    "Accept-Encoding": "identity",
    "User-Agent": "catena",
}
_OK: Final = 200
_BEYOND_THE_OTHER: Final = {"1.2.840.113549.1.1.10": "RSA-PSS", "1.3.101.112": "Ed25519"}
_MAX_TEXT: Final = 200


class TsaUnreachableError(CatenaError):
    """No answer, or none that an authority gives: the network, a proxy or its server is at fault."""

    def __init__(self, detail: str) -> None:
        super().__init__("tsa_unreachable", detail, status=503)


@dataclass(frozen=True, slots=True)
class Stamped:
    """A verified answer.

    Attributes:
        response: the whole TimeStampResp.
        token: the token in it.
    """

    response: bytes
    token: TimestampToken


def new_client(seconds: float) -> Outgoing:
    """A client for a few requests; `seconds` bounds each step of one (connecting, sending, waiting for bytes)."""
    from app.outgoing import Outgoing

    return Outgoing(seconds, _HEADERS, verify=_tls())


@cache
def _tls() -> ssl.SSLContext:
    """Made once: reading the system's roots takes longer than a token does."""
    import httpx

    return httpx.create_ssl_context()


def ask(client: Outgoing, authority: Authority, imprint: bytes, seconds: float, algorithm: str = IMPRINT) -> Stamped:
    """Get a token over a digest.

    Args:
        client: as `new_client` made it.
        authority: whom to ask.
        imprint: the digest.
        seconds: how long the whole exchange may take.
        algorithm: of the digest; renewals use `sha512`.

    Raises:
        TsaUnreachableError: `tsa_unreachable`.
        EvidenceStoreError: `timestamp_refused` (for good), `timestamp_unavailable` (for now),
            `timestamp_response_malformed`, `timestamp_nonce_mismatch`, and all of `verify_token`.
    """
    nonce = secrets.randbits(64)
    response = _post(client, authority.url, build_request(imprint, algorithm, nonce), seconds)
    trust = authority.trust
    token = verify_token(token_of_response(response), imprint, algorithm, trust.roots, trust.intermediates)
    if token.nonce != nonce:
        raise EvidenceStoreError("timestamp_nonce_mismatch", "the token answers another request")
    _ask_second_opinion(token, nonce, authority)
    return Stamped(response, token)


def _post(client: Outgoing, url: str, request: bytes, seconds: float) -> bytes:
    try:
        answer = client.post(url, request, seconds, MAX_RESPONSE)
    except NoAnswerError as error:
        raise TsaUnreachableError(str(error)) from error
    except TooLargeError:
        raise EvidenceStoreError("timestamp_response_malformed", "the answer is too large") from None
    if answer.status != _OK:
        raise TsaUnreachableError(f"the authority answered HTTP {answer.status}")
    return answer.body


def _ask_second_opinion(token: TimestampToken, nonce: int, authority: Authority) -> None:
    """Let a verifier that nobody here wrote look at the token too.

    Raises:
        EvidenceStoreError: `timestamp_second_opinion`.
    """
    from rfc3161_client import VerifierBuilder, decode_timestamp_response
    from rfc3161_client.errors import VerificationError

    beyond = "signers named by key" if token.signer_by_key else _BEYOND_THE_OTHER.get(token.signature_algorithm)
    if beyond is not None:
        text = "token %d of %s: verified by us alone, rfc3161-client has no %s"
        log.info(text, token.serial, authority.name, beyond)
        return
    # Fresh lists: copies of a builder share theirs, so roots of one authority would count for another.
    trust = authority.trust
    builder = VerifierBuilder(roots=list(trust.roots), intermediates=list(trust.intermediates), nonce=nonce)
    try:
        # Its reader takes the status granted only; ours has read the status already.
        response = decode_timestamp_response(granted_response(in_order(token.der)))
        builder.build().verify(response, token.imprint)
    except (ValueError, VerificationError) as error:  # it reads some parts no sooner than it verifies
        detail = f"our verifier accepts the token, rfc3161-client does not: {_first_line(error)}"
        raise EvidenceStoreError("timestamp_second_opinion", detail) from None


def in_order(token: bytes) -> bytes:
    """The same token with its certificates in the order that DER asks of a SET OF (X.690, section 11.6).

    Args:
        token: one that was verified.

    Raises:
        EvidenceStoreError: it is no token.
    """
    content_info = asn1.Reader(token).enter(asn1.SEQUENCE)
    kind = content_info.take_element(asn1.OBJECT_IDENTIFIER)
    parts = content_info.enter(asn1.context(0)).enter(asn1.SEQUENCE).elements()
    certificates = asn1.context(0)
    ordered = [
        asn1.encode(certificates, *sorted(asn1.Reader(part).enter(certificates).elements()))
        if part[0] == certificates
        else part
        for part in parts
    ]
    signed_data = asn1.encode(asn1.SEQUENCE, *ordered)
    return asn1.encode(asn1.SEQUENCE, kind, asn1.encode(asn1.context(0), signed_data))


def _first_line(error: Exception) -> str:
    text = str(error).partition("\n")[0]
    return "".join(each if each.isprintable() else "?" for each in text)[:_MAX_TEXT]
