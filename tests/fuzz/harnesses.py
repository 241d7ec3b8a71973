"""Every parser that reads what a stranger may have written, with samples to begin from and words of its language.

A harness calls a parser, and what uses its result, with any bytes. Whatever the bytes are, it returns or raises
`EvidenceStoreError`; anything else is a fault. Where a format has one form only, what was accepted is written again and
must be the same bytes. `python -m tests.fuzz` runs them under atheris, `test_fuzz_parsers.py` under Hypothesis.
"""

from __future__ import annotations

import atexit
import base64
import io
import json
import shutil
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.serialization import Encoding

from evidence_store import asn1, cades, canonical, certificates, seal, trust
from evidence_store.bundle import asice, bagit, events, layout, manifest, renewals
from evidence_store.errors import EvidenceStoreError
from evidence_store.keys import file as key_file
from evidence_store.keys import pkcs11
from evidence_store.log import cosignature, keyfile, merkle, note, policy, proof, tiles
from evidence_store.timestamps import ers, evidence_record, request, roots, token
from evidence_store.verify import checks, facts, page, zip_reader
from evidence_store.verify import trust as trust_file
from evidence_store.verify.bundle_report import BundleReport
from evidence_store.verify.report import Report
from evidence_store.witness import request as witness_request
from evidence_store.witness import rules as witness_rules
from evidence_store.witness import state as witness_state
from tests.bundles import reseal, write_folder
from tests.fuzz import samples
from tests.witness_logs import Log

_BEGIN: Final = b"-----BEGIN CERTIFICATE-----\n"
_END: Final = b"-----END CERTIFICATE-----\n"
_MADE_AT: Final = datetime(2026, 11, 22, 10, 0, 0, tzinfo=UTC)
_TEXTS: Final = 15
"""Texts in a report that come from a bundle."""


@dataclass(frozen=True)
class Harness:
    """A parser to be fuzzed.

    Attributes:
        run: reads the bytes; only `EvidenceStoreError` may escape.
        seeds: good input, and some that is nearly good.
        words: what the format's language is made of.
        slow: takes milliseconds rather than microseconds.
    """

    run: Callable[[bytes], object]
    seeds: Callable[[], Iterable[bytes]]
    words: tuple[bytes, ...] = ()
    slow: bool = False


def _same(found: bytes, data: bytes) -> None:
    """A format with one form: what was accepted is what would be written."""
    if found != data:
        raise AssertionError(f"accepted, but written otherwise: {found[:200]!r}")


@cache
def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="catena-fuzz-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _text(data: bytes) -> str:
    """What a reader of a text file hands on."""
    return data.decode("utf-8", "replace")


# -- canonical JSON, events, manifest, receipts ----------------------------------------------------


def _canonical(data: bytes) -> None:
    _same(canonical.canonical_bytes(canonical.parse_canonical(data)), data)


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


# -- DER -------------------------------------------------------------------------------------------


def _der(data: bytes) -> None:
    """Every element and what is in it, as deep as it goes."""
    readers = [asn1.Reader(data)]
    while readers:
        for element in readers.pop().elements():
            tag = element[0]
            for read in (asn1.parse_time, asn1.dotted, lambda e: asn1.Reader(e).take_integer()):
                _coded(read, element)
            if tag & 0x20:
                readers.append(asn1.Reader(element).enter(tag))


def _coded(read: Callable[[bytes], object], data: bytes) -> object:
    try:
        return read(data)
    except EvidenceStoreError:
        return None


def _seal(data: bytes) -> None:
    for read in (seal.seal_imprint, seal.seal_tokens, seal.without_tokens):
        _coded(read, data)
    cades.parse(data)
    tokens = seal.seal_tokens(data)
    _same(seal.add_tokens(seal.without_tokens(data), tokens), data)
    seal.verify_seal(data, samples.files()[layout.ASIC_MANIFEST], samples.archive().cas)


def _added(data: bytes) -> None:
    """A token that an authority answered, put into the seal that it should be over."""
    bare, token_der = seal.without_tokens(_stamped_seal()), data
    stamped = seal.add_tokens(bare, [token_der])
    if seal.seal_tokens(stamped) != (token_der,):
        raise AssertionError("the token was added, but is not in the seal")
    _same(seal.without_tokens(stamped), bare)


@cache
def _stamped_seal() -> bytes:
    return next(each for each in samples.named(".p7s") if seal.seal_tokens(each))


def _certificate(data: bytes) -> None:
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
    pem = b"".join(_BEGIN + base64.encodebytes(part) + _END for part in parts)
    for read in (trust_file.parse_time_roots, trust_file.parse_trust):
        _coded(read, pem)
    found = roots.parse_roots(pem)
    token.verify_token(samples.token(), samples.imprint(), "sha256", found.roots, found.intermediates)


def _root_seeds() -> list[bytes]:
    found = [each.public_bytes(Encoding.DER) for each in (*samples.tsa().roots, *samples.archive().cas)]
    parts = [len(each).to_bytes(2, "big") + each for each in found]
    return [*parts, b"".join(parts)]


def _token(data: bytes) -> None:
    _coded(token.parse_token, data)
    token.verify_token(data, samples.imprint(), "sha256", samples.tsa().roots)


def _response(data: bytes) -> None:
    token.parse_token(request.token_of_response(data))


def _record(data: bytes) -> None:
    _coded(renewals.covered_events, data)
    _same(evidence_record.parse_record(data).encode(), data)
    about, members = _renewed()
    ers.verify_record(data, [about.encode(), *members], samples.tsa().roots)


@cache
def _renewed() -> tuple[str, list[bytes]]:
    return next((about, chain) for about, chain in samples.archive().events.items() if about.startswith("item:"))


# -- notes, proofs, tiles, policies, keys ----------------------------------------------------------


def _note(data: bytes) -> None:
    text, lines = note.split_note(data)
    keys = [note.parse_vkey(samples.archive().log_vkey)]
    _coded(lambda whole: cosignature.verify_cosignatures(whole, [_witness()]), data)
    _coded(lambda whole: cosignature.add_lines(whole, ["\N{EM DASH} a.example AAAA\n"] * (len(lines) > 0)), data)
    note.parse_checkpoint(text)
    note.open_checkpoint(data, keys[0])


def _cosignature(data: bytes) -> None:
    """Lines as a witness answers them, beside a log's own."""
    note_of_log = samples.archive().note()
    keys = [witness.key for witness in samples.archive().witnesses]
    whole = cosignature.add_lines(note_of_log, data.decode("utf-8", "surrogateescape").splitlines(keepends=True))
    if not whole.startswith(note_of_log):
        raise AssertionError("a witness changed the note")
    for found in cosignature.verify_cosignatures(whole, keys):
        if found.line.encode() not in whole:
            raise AssertionError("a line that nobody wrote")


def _cosignature_seeds() -> list[bytes]:
    text = note.split_note(samples.archive().note())[0]
    lines = [witness.line(text, 1_700_000_000).encode() for witness in samples.archive().witnesses]
    return [*lines, b"".join(lines)]


def _witness() -> cosignature.CosignerKey:
    return samples.archive().witnesses[0].key


def _checkpoint(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    found = note.parse_checkpoint(text)
    _same(note.checkpoint_text(found).encode(), text.encode())


def _vkey(data: bytes) -> None:
    text = _text(data)
    _coded(lambda _: cosignature.parse_cosigner_vkey(text), data)
    _coded(lambda _: policy.parse_log_vkey(text), data)
    found = note.parse_vkey(text)
    _same(note.format_vkey(found.name, found.public_key).encode(), data)


def _key_lines(data: bytes) -> None:
    keyfile.parse_key_file(data)


def _proof(data: bytes) -> None:
    found = proof.parse_proof(data)
    _same(proof.format_proof(found), data)
    checkpoint = note.parse_checkpoint(note.split_note(found.checkpoint)[0])
    merkle.verify_inclusion(found.index, checkpoint.size, _proven(), found.hashes, checkpoint.root)


def _consistency(data: bytes) -> None:
    old, hashes = proof.parse_consistency(data)
    _same(proof.format_consistency(old, hashes), data)
    places = (f"{renewals.renewal_folder(1)}/{renewals.CHECKPOINT}", layout.CHECKPOINT)
    renewed, whole = (note.parse_checkpoint(note.split_note(samples.files()[place])[0]) for place in places)
    renewals.require_continued(renewed, whole, data)


@cache
def _proven() -> bytes:
    """The leaf that the first seed is about."""
    about = min(samples.archive().events)
    return merkle.leaf_hash(sha256(samples.archive().events[about][-1]).digest())


def _tile_path(data: bytes) -> None:
    tile = tiles.parse_tile_path(_text(data))
    _same(tiles.tile_path(tile.level, tile.index, tile.width).encode(), data)


def _entries(data: bytes) -> None:
    _same(tiles.entry_bundle_bytes(tiles.parse_entry_bundle(data)), data)


def _policy(data: bytes) -> None:
    found = policy.parse_policy(policy.decode_policy(data))
    found.satisfied([_witness()])


def _witness_request(data: bytes) -> None:
    asked = witness_request.parse_request(data)
    _same(witness_request.format_request(asked.old, asked.proof, asked.note), data)
    key = note.parse_vkey(_log().vkey)
    witness_rules.require_signed(asked, [key])
    witness_rules.require_continued(asked, witness_rules.Seen(100, _log().root(100), 0, b""))


@cache
def _log() -> Log:
    return Log(entries=200)


def _witness_state(data: bytes) -> None:
    path = _folder() / "state"
    path.write_bytes(data)
    witness_state.StateFile(path).read()


def _trust(data: bytes) -> None:
    for read in (trust_file.parse_time_roots, trust_file.parse_policy_file, roots.parse_roots):
        _coded(read, data)
    trust_file.parse_trust(data)


# -- lists, names, containers ----------------------------------------------------------------------


def _asic(data: bytes) -> None:
    _same(asice.format_asic_manifest(asice.parse_asic_manifest(data)), data)


def _bagit(data: bytes) -> None:
    _coded(lambda whole: bagit.parse_manifest(whole, 128), data)
    _coded(bagit.parse_bag_info, data)
    bagit.parse_manifest(data, 64)


def _names(data: bytes) -> None:
    """Whatever a file is called, the bundle gives it a name that a bundle may have."""
    text = data.decode("utf-8", "surrogateescape")
    layout.path_problem(text)
    problem = layout.path_problem(layout.original_path("0d8f1c3e-5a77-4b0e-9c62-6a1b2c3d4e5f", text))
    if problem is not None:
        raise AssertionError(f"an unsafe name was made: {problem}")


def _zip(data: bytes) -> None:
    zip_reader.read_entries(io.BytesIO(data), Report(max_per_code=200))


def _bundle(data: bytes) -> None:
    path = _folder() / "bundle.zip"
    path.write_bytes(data)
    _judged(path)


def _judged(path: Path) -> None:
    report = checks.verify_bundle(path, samples.archive().anchors)
    crashed = [f for f in report.findings if f.code == "check_not_run" and "Error: " in f.detail]
    if crashed:
        raise AssertionError(f"a check crashed: {crashed}")
    report.as_text()
    json.dumps(report.as_json()).encode("ascii")
    page.as_html(report, path.name, _MADE_AT).encode()


def _page(data: bytes) -> None:
    """Whatever a bundle is made to say, the page has the tags that it has for a bundle that says nothing odd."""
    told = [f"x{part}" for part in data.decode("utf-8", "surrogateescape").split("\0")] * _TEXTS
    found, plain = _Tags(_page_that_says(told)), _plain_page()
    if found.tags != plain.tags or found.attributes != plain.attributes:
        raise AssertionError(f"a text became markup: {found.tags}")


@cache
def _plain_page() -> _Tags:
    return _Tags(_page_that_says(["x"] * _TEXTS))


def _page_that_says(told: Sequence[str]) -> str:
    report = BundleReport()
    report.finding("event_malformed", told[0], told[1])
    report.facts.bundle |= {"purpose": told[2], "organisation": told[3]}
    report.facts.keys.append(facts.KeyUsed(told[4], told[5], told[6], trusted=False, history=told[7]))
    report.facts.stamps.append(facts.Stamp(told[8], _MADE_AT, told[9], _MADE_AT, trusted=False))
    report.facts.witnesses.append(facts.WitnessSeen(told[10], told[11], told[12], trusted=False))
    report.count("events")
    report.state([facts.Claim("sealed", told[13], facts.PROVEN)])
    html = page.as_html(report, told[14], _MADE_AT)
    html.encode()
    report.as_text().encode()
    json.dumps(report.as_json()).encode("ascii")
    return html


class _Tags(HTMLParser):
    """The tags of a page, and their attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        self.tags.append(f"/{tag}")


def _sealed(data: bytes) -> None:
    """An insider's bundle: the first byte chooses a file, the rest is its new content; lists and seal are made anew."""
    files = samples.files()
    parts = _parts()
    path = parts[data[0] % len(parts)] if data else parts[0]
    folder = _bundle_folder()
    changed = reseal(files | {path: data[1:]}, samples.archive())
    write_folder({name: content for name, content in changed.items() if files[name] != content}, folder)
    try:
        _judged(folder)
    finally:
        write_folder({name: files[name] for name, content in changed.items() if files[name] != content}, folder)


@cache
def _parts() -> list[str]:
    """The files of a bundle that a check reads as a whole."""
    return sorted(path for path in samples.files() if path.startswith(("custody/", "keys/")) or path == layout.MANIFEST)


@cache
def _bundle_folder() -> Path:
    return write_folder(samples.files(), _folder() / "bundle")


# -- private keys ----------------------------------------------------------------------------------


def _private_key(data: bytes) -> None:
    path = _folder() / "private.key"
    path.write_bytes(data)
    path.chmod(0o600)
    _coded(lambda _: pkcs11.load_token_key(path), data)
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
            path = _folder() / f"seed-{number}"
            key_file.save_private_key(path, key, b"a passphrase")
            made.append(path.read_bytes())
    where = pkcs11.TokenKey("/usr/lib/module.so", "a token", "a label", "00ff")
    pkcs11.save_token_key(_folder() / "seed-token", where)
    return [*made, (_folder() / "seed-token").read_bytes()]


def _key_events() -> list[bytes]:
    return [b"\n".join(samples.archive().events[samples.archive().keys_object])]


def _trust_seed() -> bytes:
    return samples.archive().ca_pem + b"# a comment\n" + samples.named("log.vkey")[0]


def _states() -> list[bytes]:
    state = witness_state.StateFile(_folder() / "seed-state")
    if not (_folder() / "seed-state").exists():
        state.create()
        state.write({"log.example": witness_rules.Seen(5, _log().root(5), 1_700_000_000, _log().note(5))})
    return [(_folder() / "seed-state").read_bytes()]


_JSON: Final = (
    b'{"',
    b'":',
    b'","',
    b"[]",
    b"null",
    b"true",
    b"\\u0000",
    b"\\ud800",
    b"1e5",
    b"-0",
    b"9007199254740993",
)
_DER: Final = (
    b"\x30\x80",
    b"\x30\x82",
    b"\x06\x09",
    b"\x02\x01",
    b"\x04\x82",
    b"\x31",
    b"\xa0",
    b"\xa1",
    b"\x84\xff\xff\xff\xff",
)
_NOTE: Final = (
    b"\n\n",
    "\N{EM DASH} ".encode(),
    b"+",
    b"\n",
    b"AAAA",
    b"=",
    b"\r",
    b"\xc2\xa0",
    b"18446744073709551616",
)
_PEM: Final = (_BEGIN, _END, b"#", b"\n")


def _p7s() -> list[bytes]:
    return samples.named(".p7s")


HARNESSES: Final[dict[str, Harness]] = {
    "added": Harness(_added, lambda: list(seal.seal_tokens(_stamped_seal())), _DER),
    "asic": Harness(_asic, lambda: samples.named("ASiCManifest"), (b"&amp;", b"<!DOCTYPE", b"URI=", b"==")),
    "bagit": Harness(_bagit, lambda: samples.named("manifest-sha", "bag-info"), (b"  ", b"%0A", b"%25", b": ", b"../")),
    "bundle": Harness(_bundle, lambda: [samples.zipped()], (b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"), slow=True),
    "canonical": Harness(_canonical, lambda: samples.named("manifest.json", "receipts/"), _JSON),
    "certificate": Harness(
        _certificate, lambda: [samples.tsa().authority.tsa.certificate.public_bytes(Encoding.DER)], _DER
    ),
    "checkpoint": Harness(_checkpoint, lambda: [samples.archive().note().split(b"\n\n")[0] + b"\n"], _NOTE),
    "consistency": Harness(_consistency, lambda: samples.named("/consistency"), (b"old ", b"=\n")),
    "cosignature": Harness(_cosignature, _cosignature_seeds, _NOTE),
    "der": Harness(_der, lambda: [*_p7s(), samples.token()], _DER),
    "entries": Harness(_entries, lambda: [tiles.entry_bundle_bytes([b"a" * 32, b"", b"b"])]),
    "event": Harness(_event, samples.named("events.jsonl")[0].splitlines, _JSON),
    "history": Harness(_key_history, _key_events, _JSON),
    "keys": Harness(_key_lines, lambda: samples.named("log.vkey"), _NOTE),
    "manifest": Harness(_manifest, lambda: [samples.files()[layout.MANIFEST]], _JSON),
    "names": Harness(_names, lambda: [b"photo.jpg", "відео 1.mp4".encode(), b"../../etc/passwd", b"CON", b"\xff"]),
    "note": Harness(_note, lambda: samples.named("custody/checkpoint"), _NOTE),
    "page": Harness(
        _page,
        lambda: [b"Olena\0Kyiv\0" * 8, b"<script>\0&amp;\0\xff\x1b[2J", "\u202e\u2028\ud7ff".encode()],
        (b"<script>", b"</td>", b'"', b"'", b"<!--", b"&lt;", b"&#60;", b"\xed\xa0\x80", b"\0", b"</style>"),
    ),
    "policy": Harness(
        _policy,
        lambda: samples.named("witnesses.policy"),
        (b"group ", b"witness ", b"quorum ", b"any", b"all", b"none"),
    ),
    "private-key": Harness(_private_key, _key_files, (*_DER, *_PEM)),
    "proof": Harness(_proof, lambda: samples.named(".tlog-proof"), (*_NOTE, b"index ", b"extra ")),
    "record": Harness(_record, lambda: samples.named(".ers"), _DER),
    "response": Harness(_response, lambda: [samples.response()], _DER),
    "roots": Harness(_roots, _root_seeds, _DER),
    "seal": Harness(_seal, _p7s, _DER),
    "sealed": Harness(
        _sealed,
        lambda: [bytes([n]) + samples.files()[path] for n, path in enumerate(_parts())],
        (*_JSON, *_DER),
        slow=True,
    ),
    "tile-path": Harness(_tile_path, lambda: [b"tile/0/x001/234.p/5", b"tile/entries/000", b"tile/63/x999/x999/999"]),
    "token": Harness(_token, lambda: [samples.token()], _DER),
    "trust": Harness(
        _trust, lambda: [_trust_seed(), *samples.named("tsa/first.pem", "witnesses.policy")], (*_PEM, *_NOTE)
    ),
    "vkey": Harness(_vkey, lambda: [line for data in samples.named("log.vkey") for line in data.splitlines()], _NOTE),
    "witness-request": Harness(
        _witness_request, lambda: [_log().request(100, 200), _log().request(0, 5)], (*_NOTE, b"old ")
    ),
    "witness-state": Harness(_witness_state, _states, _JSON),
    "zip": Harness(_zip, lambda: [samples.zipped()], (b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06", b"PK\x06\x06")),
}
