"""Harnesses of what has a form of its own: canonical JSON, events, DER, seals, certificates, time stamps and keys."""

from __future__ import annotations

import base64
from functools import cache
from typing import Final

from cryptography.hazmat.primitives.serialization import Encoding

from evidence_store import asn1, cades, canonical, certificates, seal, trust
from evidence_store.bundle import events, layout, manifest, renewals
from evidence_store.keys import file as key_file
from evidence_store.keys import pkcs11
from evidence_store.timestamps import ers, evidence_record, request, roots, token
from evidence_store.verify import trust as trust_file
from tests.fuzz import samples
from tests.fuzz.harness import BEGIN, DER, END, JSON, PEM, Harness, coded, same, scratch


def _canonical(data: bytes) -> None:
    same(canonical.canonical_bytes(canonical.parse_canonical(data)), data)


def _event(data: bytes) -> None:
    events.parse_event(data)


def _manifest(data: bytes) -> None:
    found, problems = manifest.read_manifest(canonical.parse_canonical(data))
    if found is not None and not problems:
        manifest.format_manifest_json(found)


def _key_history(data: bytes) -> None:
    history = trust.KeyHistory.from_events([events.parse_event(line) for line in data.split(b"\n") if line])
    for use in ("ca", "seal", "log", "pq"):
        for record in history.of(use):
            history.judge(use, record.key, None, None)


def _der(data: bytes) -> None:
    """Every element and what is in it, as deep as it goes."""
    readers = [asn1.Reader(data)]
    while readers:
        for element in readers.pop().elements():
            tag = element[0]
            for read in (asn1.parse_time, asn1.dotted, lambda e: asn1.Reader(e).take_integer()):
                coded(read, element)
            if tag & 0x20:
                readers.append(asn1.Reader(element).enter(tag))


def _seal(data: bytes) -> None:
    for read in (seal.seal_imprint, seal.seal_tokens, seal.without_tokens):
        coded(read, data)
    cades.parse(data)
    tokens = seal.seal_tokens(data)
    same(seal.add_tokens(seal.without_tokens(data), tokens), data)
    seal.verify_seal(data, samples.files()[layout.ASIC_MANIFEST], samples.archive().cas)


def _added(data: bytes) -> None:
    """A token that an authority answered, put into the seal that it should be over."""
    bare, token_der = seal.without_tokens(_stamped_seal()), data
    stamped = seal.add_tokens(bare, [token_der])
    if seal.seal_tokens(stamped) != (token_der,):
        raise AssertionError("the token was added, but is not in the seal")
    same(seal.without_tokens(stamped), bare)


@cache
def _stamped_seal() -> bytes:
    return next(each for each in samples.named(".p7s") if seal.seal_tokens(each))


def _certificate(data: bytes) -> None:
    certificates.parse_certificate.cache_clear()  # one that was read before is not parsed again
    found = certificates.parse_certificate(data)
    found.subject.rfc4514_string()
    trust.key_of_certificate(data)


def _roots(data: bytes) -> None:
    """Certificates, each after its length, as a PEM file: so that what is in them is tried, and not only base64."""
    parts = []
    while data:
        length = int.from_bytes(data[:2], "big")
        parts.append(data[2 : 2 + length])
        data = data[2 + length :]
    pem = b"".join(BEGIN + base64.encodebytes(part) + END for part in parts)
    for read in (trust_file.parse_time_roots, trust_file.parse_trust):
        coded(read, pem)
    found = roots.parse_roots(pem)
    token.verify_token(samples.token(), samples.imprint(), "sha256", found.roots, found.intermediates)


def _root_seeds() -> list[bytes]:
    found = [each.public_bytes(Encoding.DER) for each in (*samples.tsa().roots, *samples.archive().cas)]
    parts = [len(each).to_bytes(2, "big") + each for each in found]
    return [*parts, b"".join(parts)]


def _token(data: bytes) -> None:
    coded(token.parse_token, data)
    token.verify_token(data, samples.imprint(), "sha256", samples.tsa().roots)


def _response(data: bytes) -> None:
    token.parse_token(request.token_of_response(data))


def _record(data: bytes) -> None:
    coded(renewals.covered_events, data)
    same(evidence_record.parse_record(data).encode(), data)
    about, members = _renewed()
    ers.verify_record(data, [about.encode(), *members], samples.tsa().roots)


@cache
def _renewed() -> tuple[str, list[bytes]]:
    return next((about, chain) for about, chain in samples.archive().events.items() if about.startswith("item:"))


def _private_key(data: bytes) -> None:
    path = scratch() / "private.key"
    path.write_bytes(data)
    path.chmod(0o600)
    coded(lambda _: pkcs11.load_token_key(path), data)
    with _cheap_scrypt():
        key_file.load_private_key(path, b"a passphrase")


class _cheap_scrypt:  # noqa: N801 - used as a context
    """Costs that a fuzzer can pay."""

    def __enter__(self) -> None:
        self._before = key_file.SCRYPT_N, key_file._MAX_SCRYPT_WORK
        key_file.SCRYPT_N, key_file._MAX_SCRYPT_WORK = 2, 2**16  # type: ignore[misc]

    def __exit__(self, *_: object) -> None:
        key_file.SCRYPT_N, key_file._MAX_SCRYPT_WORK = self._before  # type: ignore[misc]


@cache
def _key_files() -> list[bytes]:
    made = []
    with _cheap_scrypt():
        keys: list[key_file.PrivateKey] = [key_file.generate_ed25519(), key_file.generate_p256()]
        for number, key in enumerate(keys):
            path = scratch() / f"seed-{number}"
            key_file.save_private_key(path, key, b"a passphrase")
            made.append(path.read_bytes())
    where = pkcs11.TokenKey("/usr/lib/module.so", "a token", "a label", "00ff")
    pkcs11.save_token_key(scratch() / "seed-token", where)
    return [*made, (scratch() / "seed-token").read_bytes()]


def _key_events() -> list[bytes]:
    return [b"\n".join(samples.archive().events[samples.archive().keys_object])]


def _p7s() -> list[bytes]:
    return samples.named(".p7s")


STRUCTURES: Final[dict[str, Harness]] = {
    "added": Harness(_added, lambda: list(seal.seal_tokens(_stamped_seal())), DER),
    "canonical": Harness(_canonical, lambda: samples.named("manifest.json", "receipts/"), JSON),
    "certificate": Harness(
        _certificate, lambda: [samples.tsa().authority.tsa.certificate.public_bytes(Encoding.DER)], DER
    ),
    "der": Harness(_der, lambda: [*_p7s(), samples.token()], DER),
    "event": Harness(_event, samples.named("events.jsonl")[0].splitlines, JSON),
    "history": Harness(_key_history, _key_events, JSON),
    "manifest": Harness(_manifest, lambda: [samples.files()[layout.MANIFEST]], JSON),
    "private-key": Harness(_private_key, _key_files, (*DER, *PEM)),
    "record": Harness(_record, lambda: samples.named(".ers"), DER),
    "response": Harness(_response, lambda: [samples.response()], DER),
    "roots": Harness(_roots, _root_seeds, DER),
    "seal": Harness(_seal, _p7s, DER),
    "token": Harness(_token, lambda: [samples.token()], DER),
}
