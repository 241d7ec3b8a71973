"""Time-stamping authorities for tests: `openssl ts -reply` behind a few lines of HTTP on loopback.

Each has a root of its own, a certificate with a critical timeStamping purpose, and a serial file. What goes wrong on
the way (down, slow, refusing, answering something else) is set by `mode`. The tokens are openssl's, except where
openssl cannot be made to do it (`at` another time, with a certificate that it would not use): those come from
`tests.tokens`.
"""

from __future__ import annotations

import subprocess
import threading
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedIOBase
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from evidence_store import asn1
from evidence_store.timestamps.algorithms import read_digest
from evidence_store.timestamps.request import build_request, granted_response, token_of_response
from tests.judges import require
from tests.tokens import Forgery, der_of

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
Kind = Literal["ec", "rsa", "ed25519"]
Mode = Literal[
    "up",
    "slow",  # answers after `slow_seconds`
    "drip",  # answers byte by byte, for `slow_seconds`
    "garbage",  # 200, but no response
    "huge",  # 200 and more bytes than a response may have
    "error",  # 500
    "redirect",  # 302 to itself
    "wrong type",  # a good response, called text/html
    "refuse",  # PKIStatus rejection, badAlg: for good
    "busy",  # PKIStatus rejection, timeNotAvailable: for now
    "no certificate",  # as if certReq had not been asked
    "wrong nonce",
    "no nonce",
    "other bytes",  # a token over another imprint
    "replay",  # the answer to an earlier request
]
START, END = datetime(2020, 1, 1, tzinfo=UTC), datetime(2049, 1, 1, tzinfo=UTC)
POLICY = "1.3.6.1.4.1.55555.3.1"
_GARBAGE = b"<html>This network needs you to sign in.</html>"
_REFUSAL = {  # status 2 (rejection); failInfo badAlg is bit 0, timeNotAvailable bit 14
    "refuse": asn1.encode(asn1.BIT_STRING, b"\x07\x80"),
    "busy": asn1.encode(asn1.BIT_STRING, b"\x01\x00\x02"),
}


def new_key(kind: Kind) -> Key:
    """A private key."""
    if kind == "rsa":
        return rsa.generate_private_key(65537, 2048)
    return ed25519.Ed25519PrivateKey.generate() if kind == "ed25519" else ec.generate_private_key(ec.SECP256R1())


@cache
def kept_key(kind: Kind, name: str) -> Key:
    """The same key for the same name, all through a test process: making RSA keys takes time."""
    return new_key(kind)


def _usage(*allowed: str) -> x509.KeyUsage:
    names = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    every = (*names, "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")
    return x509.KeyUsage(**{name: name in allowed for name in every})


@dataclass(frozen=True)
class Issued:
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: Key

    @property
    def pem(self) -> bytes:
        """The certificate."""
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def key_is_edwards(self) -> bool:
        """Whether it is Ed25519, which is used with SHA-512 (RFC 8419)."""
        return isinstance(self.key, ed25519.Ed25519PrivateKey)


@dataclass(frozen=True)
class Wanted:
    """What a certificate shall be like; the default is a good one of a TSA.

    Attributes:
        extra: further extensions, each with whether it is critical.
    """

    name: str
    kind: Kind = "ec"
    valid: tuple[datetime, datetime] = (START, END)
    ca: bool = False
    path_length: int | None = None
    purposes: tuple[ObjectIdentifier, ...] | None = (ExtendedKeyUsageOID.TIME_STAMPING,)
    purposes_critical: bool = True
    usage: tuple[str, ...] | None = ("digital_signature",)
    constraints: bool = True
    digest: type[hashes.SHA224 | hashes.SHA256 | hashes.SHA384 | hashes.SHA512] = hashes.SHA256
    extra: tuple[tuple[x509.ExtensionType, bool], ...] = ()

    @classmethod
    def authority(cls, name: str, kind: Kind = "ec") -> Wanted:
        """A certificate that issues others."""
        return cls(name, kind, ca=True, purposes=None, usage=("key_cert_sign", "crl_sign"))

    def issue(self, issuer: Issued | None = None, key: Key | None = None) -> Issued:
        """Make it; signed by itself without an issuer."""
        key = key or kept_key(self.kind, self.name)
        subject = x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Time for tests"),
                x509.NameAttribute(NameOID.COMMON_NAME, self.name),
            ]
        )
        signed_by = issuer or Issued(None, key)  # type: ignore[arg-type]
        builder = x509.CertificateBuilder(
            signed_by.certificate.subject if issuer else subject,
            subject,
            key.public_key(),
            x509.random_serial_number(),
            *self.valid,
        )
        for extension, critical in self._extensions(key, issuer):
            builder = builder.add_extension(extension, critical=critical)
        digest = None if signed_by.key_is_edwards else self.digest()
        return Issued(builder.sign(signed_by.key, digest), key)

    def _extensions(self, key: Key, issuer: Issued | None) -> list[tuple[x509.ExtensionType, bool]]:
        found: list[tuple[x509.ExtensionType, bool]] = [
            (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        ]
        if issuer is not None:
            public = issuer.key.public_key()
            found.append((x509.AuthorityKeyIdentifier.from_issuer_public_key(public), False))
        if self.constraints:
            found.append((x509.BasicConstraints(ca=self.ca, path_length=self.path_length), True))
        if self.usage is not None:
            found.append((_usage(*self.usage), True))
        if self.purposes is not None:
            found.append((x509.ExtendedKeyUsage(self.purposes), self.purposes_critical))
        return [*found, *self.extra]


@dataclass(frozen=True)
class Authority:
    """A time-stamping authority on paper: its root, perhaps an intermediate, and its own certificate."""

    root: Issued
    tsa: Issued
    between: tuple[Issued, ...] = ()

    @property
    def roots(self) -> list[x509.Certificate]:
        """What to trust, to accept its tokens."""
        return [self.root.certificate]

    @property
    def roots_pem(self) -> bytes:
        """The same as a PEM file."""
        return self.root.pem


def authority(name: str = "first", kind: Kind = "ec", *, intermediate: bool = False) -> Authority:
    """An authority with a root of its own."""
    root = Wanted.authority(f"{name} root", kind).issue()
    between = (Wanted.authority(f"{name} issuing", kind).issue(root),) if intermediate else ()
    return Authority(root, Wanted(f"{name} TSA", kind).issue(between[-1] if between else root), between)


@dataclass
class LocalTsa:
    """One authority with a server on loopback.

    Use it as a context manager, or `start` and `stop` it; after `start` it is again at the same address.

    Attributes:
        folder: an empty folder of its own.
        authority: certificates and keys.
        mode: what it does with the next requests.
        ess_digest: digest of the signing certificate attribute; sha1 makes it the older attribute (RFC 2634).
        digests: which imprints it takes.
        precision: digits of fractions of a second in genTime.
        requests: every request body it got.
        slow_seconds: how long `slow` and `drip` take.
        at: a time to state instead of now; the token is then ours, truly signed.
        forged: the token is ours, at the current time: for certificates that openssl refuses to stamp with.
        changes: of a token of ours: fields of `Forgery`.
    """

    folder: Path
    authority: Authority
    mode: Mode = "up"
    ess_digest: str = "sha256"
    signer_digest: str = "sha256"
    digests: str = "sha256, sha384, sha512"
    precision: int = 3
    slow_seconds: float = 5.0
    at: datetime | None = None
    forged: bool = False
    changes: dict[str, Any] = field(default_factory=dict)
    requests: list[bytes] = field(default_factory=list)
    answers: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Lay out what openssl reads."""
        self.folder.mkdir(parents=True, exist_ok=True)
        plain = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (self.folder / "tsa.key").write_bytes(self.authority.tsa.key.private_bytes(*plain))
        (self.folder / "tsa.crt").write_bytes(self.authority.tsa.pem)
        (self.folder / "chain.pem").write_bytes(b"".join(one.pem for one in self.authority.between))
        (self.folder / "root.pem").write_bytes(self.authority.roots_pem)
        (self.folder / "serial").write_text("1000\n")
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._server: ThreadingHTTPServer | None = None
        self._port = 0

    @property
    def url(self) -> str:
        """Where it is; known once it was started."""
        return f"http://127.0.0.1:{self._port}/tsr"

    @property
    def roots(self) -> list[x509.Certificate]:
        """What to trust, to accept its tokens."""
        return self.authority.roots

    def start(self) -> None:
        """Listen."""
        self._wake.clear()
        self._server = _Server(("127.0.0.1", self._port), self)
        self._port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self) -> None:
        """Be down: connections are refused."""
        self._wake.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def answer(self, request: bytes) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body for a request."""
        self.requests.append(request)
        kind = {"Content-Type": "text/html" if self.mode == "wrong type" else "application/timestamp-reply"}
        if self.mode == "slow":
            self._wake.wait(self.slow_seconds)
        if self.mode == "error":
            return 500, {"Content-Type": "text/plain"}, b"out of order"
        if self.mode == "redirect":
            return 302, {"Location": self.url}, b""
        return 200, kind, self._body(request)

    def _body(self, request: bytes) -> bytes:
        if self.mode == "garbage":
            return _GARBAGE
        if self.mode in _REFUSAL:
            text = asn1.encode(asn1.SEQUENCE, asn1.encode(asn1.UTF8_STRING, b"not\x1b[2J today"))
            return asn1.encode(asn1.SEQUENCE, _refusal(text, _REFUSAL[self.mode]))
        if self.mode == "replay" and self.answers:
            return self.answers[-1]
        self.answers.append(self.reply(self._bent(request)))
        return self.answers[-1] + (bytes(200_000) if self.mode == "huge" else b"")

    def drip(self, answer: bytes, out: BufferedIOBase) -> None:
        """Send byte by byte, until nobody listens or the server stops."""
        pause = self.slow_seconds / len(answer)
        for place in range(len(answer)):
            out.write(answer[place : place + 1])
            if self._wake.wait(pause):
                return

    def _bent(self, request: bytes) -> bytes:
        """The request as openssl gets it, with what this mode gets wrong."""
        version, imprint, nonce, cert_req = asn1.Reader(request).enter(asn1.SEQUENCE).elements()
        if self.mode == "wrong nonce":
            nonce = asn1.integer(int.from_bytes(asn1.Reader(nonce).take(asn1.INTEGER), "big") + 1)
        if self.mode == "other bytes":
            imprint = imprint[:-1] + bytes([imprint[-1] ^ 1])
        parts = [version, imprint, b"" if self.mode == "no nonce" else nonce]
        return asn1.encode(asn1.SEQUENCE, *parts, b"" if self.mode == "no certificate" else cert_req)

    def reply(self, request: bytes) -> bytes:
        """The whole response to a request."""
        if self.forged or self.at is not None:
            return granted_response(self._forgery(request).der())
        with self._lock:
            (self.folder / "tsa.cnf").write_text(self._config())
            (self.folder / "request.tsq").write_bytes(request)
            command = [require("openssl"), "ts", "-reply", "-config", "tsa.cnf", "-section", "tsa"]
            command += ["-queryfile", "request.tsq", "-inkey", "tsa.key", "-signer", "tsa.crt", "-out", "reply.tsr"]
            if self.authority.between:
                command += ["-chain", "chain.pem"]
            done = subprocess.run(command, cwd=self.folder, capture_output=True, check=False, timeout=60)
            if done.returncode:
                raise RuntimeError(done.stderr.decode())
            return (self.folder / "reply.tsr").read_bytes()

    def _forgery(self, request: bytes) -> Forgery:
        reader = asn1.Reader(request).enter(asn1.SEQUENCE)
        reader.take_integer()
        message_imprint = reader.enter(asn1.SEQUENCE)
        algorithm = read_digest(message_imprint.take_element(asn1.SEQUENCE))
        imprint = message_imprint.take(asn1.OCTET_STRING)
        held = [der_of(one.certificate) for one in (self.authority.tsa, *self.authority.between)]
        return Forgery(
            self.authority.tsa,
            imprint,
            imprint_algorithm=algorithm,
            at=self.at or datetime.now(UTC),
            nonce=reader.take_integer() if reader.tag() == asn1.INTEGER else None,
            digest="sha512" if self.authority.tsa.key_is_edwards else "sha256",
            certificates=held,
            **self.changes,
        )

    def token(self, imprint: bytes, algorithm: str = "sha256", *, nonce: int = 4711) -> bytes:
        """A token by openssl, without the detour over HTTP."""
        return token_of_response(self.reply(build_request(imprint, algorithm, nonce)))

    def _config(self) -> str:
        values = {
            "serial": "serial",
            "crypto_device": "builtin",
            "signer_digest": self.signer_digest,
            "default_policy": POLICY,
            "digests": self.digests,
            "accuracy": "secs:1, millisecs:500, microsecs:100",
            "clock_precision_digits": str(self.precision),
            "ordering": "yes",
            "tsa_name": "yes",
            "ess_cert_id_chain": "no",
            "ess_cert_id_alg": self.ess_digest,
        }
        return "[tsa]\n" + "".join(f"{name} = {value}\n" for name, value in values.items())


def _refusal(text: bytes, fail_info: bytes) -> bytes:
    return asn1.encode(asn1.SEQUENCE, asn1.integer(2), text, fail_info)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], tsa: LocalTsa) -> None:
        self.tsa = tsa
        super().__init__(address, _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hung up is part of the test."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        """Answer one request."""
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if self.headers.get("Content-Type") != "application/timestamp-query":
            status, headers, answer = 415, {"Content-Type": "text/plain"}, b"not a time-stamp query"
        else:
            status, headers, answer = self.server.tsa.answer(body)
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(answer))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.server.tsa.mode == "drip":
            self.server.tsa.drip(answer, self.wfile)
        else:
            self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the standard library's
        """Say nothing."""


def start_tsa(folder: Path, name: str = "first", kind: Kind = "ec", *, intermediate: bool = False) -> LocalTsa:
    """A running authority in a folder of its own; the caller stops it."""
    tsa = LocalTsa(folder / f"tsa-{name}", authority(name, kind, intermediate=intermediate))
    tsa.start()
    return tsa


def expired(name: str = "expired", kind: Kind = "ec", *, days_ago: int = 2) -> Authority:
    """An authority whose own certificate had expired before today; openssl signs with it all the same."""
    good = authority(name, kind)
    past = datetime.now(UTC).replace(microsecond=0) - timedelta(days=days_ago)
    return replace(good, tsa=Wanted(f"{name} TSA", kind, valid=(START, past)).issue(good.root))
