"""Keys inside a token, with a real PKCS#11 module: what it signs, and every way in which it can be away."""

from __future__ import annotations

import logging
import multiprocessing
import subprocess
import threading
import traceback
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from evidence_store import asn1
from evidence_store.errors import EvidenceStoreError
from evidence_store.keys.base import ECDSA_P256_SHA256, ED25519
from evidence_store.keys.pkcs11 import (
    Pkcs11Signer,
    TokenKey,
    find_in_token,
    generate_in_token,
    load_token_key,
    save_token_key,
)
from evidence_store.keys.token_session import with_session
from tests.judges import require
from tests.softhsm import PIN, Token, new_token, restart_module

WRONG = "wrong-pin"
ALGORITHMS = (ECDSA_P256_SHA256, ED25519)


@pytest.fixture
def token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Token:
    return new_token(tmp_path, monkeypatch)


def pin() -> str:
    return PIN


def make(token: Token, algorithm: str = ECDSA_P256_SHA256, label: str = "key") -> Pkcs11Signer:
    return Pkcs11Signer(generate_in_token(token.module, token.label, label, algorithm, pin), pin)


def verify(signer: Pkcs11Signer, signature: bytes, message: bytes) -> None:
    """Raises unless the public key accepts it, judged without the token."""
    key = signer.public_key
    if isinstance(key, ed25519.Ed25519PublicKey):
        key.verify(signature, message)
    else:
        assert isinstance(key, ec.EllipticCurvePublicKey)
        key.verify(signature, message, ec.ECDSA(hashes.SHA256()))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("message", [b"", b"a message", b"\x00" * 100_000], ids=len)
def test_what_the_token_signs_verifies_outside_of_it(token: Token, algorithm: str, message: bytes) -> None:
    signer = make(token, algorithm)
    assert signer.algorithm == algorithm
    signature = signer.sign(message)
    verify(signer, signature, message)
    with pytest.raises(InvalidSignature):
        verify(signer, signature, message + b"!")


def test_openssl_accepts_a_signature_of_the_token(token: Token, tmp_path: Path) -> None:
    openssl, signer = require("openssl"), make(token)
    pem = signer.public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for name, data in {"key.pem": pem, "message": b"evidence", "signature": signer.sign(b"evidence")}.items():
        (tmp_path / name).write_bytes(data)
    command = [openssl, "dgst", "-sha256", "-verify", "key.pem", "-signature", "signature", "message"]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout == "Verified OK\n"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_private_key_cannot_be_read_out_of_the_token(token: Token, algorithm: str) -> None:
    import pkcs11

    where = generate_in_token(token.module, token.label, "key", algorithm, pin)

    def secrets_of(session: pkcs11.Session) -> tuple[bool, ...]:
        key = session.get_key(pkcs11.ObjectClass.PRIVATE_KEY, id=bytes.fromhex(where.id))
        asked = ("EXTRACTABLE", "NEVER_EXTRACTABLE", "SENSITIVE", "ALWAYS_SENSITIVE", "TOKEN")
        with pytest.raises(pkcs11.AttributeSensitive):
            key[pkcs11.Attribute.VALUE]
        return tuple(bool(key[getattr(pkcs11.Attribute, name)]) for name in asked)

    assert with_session(token.module, token.label, pin, secrets_of) == (False, True, True, True, True)


def test_key_is_named_by_a_file_without_a_secret_and_found_again(token: Token, tmp_path: Path) -> None:
    where = generate_in_token(token.module, token.label, "sceau de l'été", ECDSA_P256_SHA256, pin)
    path = tmp_path / "seal.pkcs11"
    save_token_key(path, where)
    assert path.stat().st_mode & 0o777 == 0o600
    assert PIN not in path.read_text()
    assert load_token_key(path) == where
    assert find_in_token(token.module, token.label, "sceau de l'été", pin) == where
    verify(Pkcs11Signer(load_token_key(path), pin), Pkcs11Signer(where, pin).sign(b"m"), b"m")
    with pytest.raises(EvidenceStoreError) as caught:
        save_token_key(path, where)
    assert caught.value.code == "file_exists"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_lost_session_is_opened_again(token: Token, algorithm: str) -> None:
    signer = make(token, algorithm)
    restart_module(token.module)
    verify(signer, signer.sign(b"after"), b"after")
    from evidence_store.keys import token_session

    for _, session in token_session._SHARED.sessions.values():
        session.close()
    verify(signer, signer.sign(b"again"), b"again")


def test_token_pulled_out_is_named_and_signs_again_when_it_is_back(token: Token) -> None:
    signer = make(token)
    token.pull_out()
    for _ in range(2):
        assert refused(lambda: signer.sign(b"m")) == "pkcs11_token_missing"
    token.put_back()
    verify(signer, signer.sign(b"m"), b"m")


def refused(work: object) -> str:
    """The code with which a call is refused."""
    assert callable(work)
    with pytest.raises(EvidenceStoreError) as caught:
        work()
    told = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    assert PIN not in told
    assert "wrong-pin" not in told
    return caught.value.code


def test_wrong_pin_is_tried_once_and_is_told_nowhere(token: Token, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    where = generate_in_token(token.module, token.label, "key", ECDSA_P256_SHA256, pin)
    restart_module(token.module)
    tried: list[str] = []

    def wrong() -> str:
        tried.append(WRONG)
        return WRONG

    for _ in range(20):  # more than the token allows: it would lock itself
        assert refused(lambda: Pkcs11Signer(where, wrong)) == "pkcs11_pin_wrong"
    assert len(tried) == 20
    verify(signer := Pkcs11Signer(where, pin), signer.sign(b"m"), b"m")
    assert "wrong-pin" not in caplog.text
    assert PIN not in caplog.text + repr(signer) + repr(where)
    assert "catena test" in repr(signer)


def test_pin_that_no_token_can_have_is_a_wrong_one(token: Token) -> None:
    for impossible in ("", "1", "9" * 1000):
        assert refused(lambda given=impossible: find_in_token(token.module, token.label, "key", lambda: given)) == (
            "pkcs11_pin_wrong"
        )


def test_key_that_is_not_in_the_token_is_named(token: Token) -> None:
    where = generate_in_token(token.module, token.label, "key", ECDSA_P256_SHA256, pin)
    other = TokenKey(where.module, where.token, where.label, "00" * 16)
    assert refused(lambda: Pkcs11Signer(other, pin)) == "pkcs11_key_missing"
    assert refused(lambda: find_in_token(token.module, token.label, "another", pin)) == "pkcs11_key_missing"


def test_two_keys_of_one_label_are_never_guessed_between(token: Token) -> None:
    import pkcs11

    where = generate_in_token(token.module, token.label, "key", ED25519, pin)
    assert refused(lambda: generate_in_token(token.module, token.label, "key", ED25519, pin)) == "pkcs11_key_exists"
    other = generate_in_token(token.module, token.label, "other", ED25519, pin)

    def rename(session: pkcs11.Session) -> None:
        for found in session.get_objects({pkcs11.Attribute.ID: bytes.fromhex(other.id)}):
            found[pkcs11.Attribute.LABEL] = "key"

    with_session(token.module, token.label, pin, rename, write=True)
    assert refused(lambda: find_in_token(token.module, token.label, "key", pin)) == "pkcs11_key_missing"
    verify(signer := Pkcs11Signer(where, pin), signer.sign(b"m"), b"m")  # the id tells them apart


def test_other_kinds_of_keys_are_refused(token: Token) -> None:
    import pkcs11
    from pkcs11.util.ec import encode_named_curve_parameters

    def p384(session: pkcs11.Session) -> None:
        curve = {pkcs11.Attribute.EC_PARAMS: encode_named_curve_parameters("secp384r1")}
        parameters = session.create_domain_parameters(pkcs11.KeyType.EC, curve, local=True)
        parameters.generate_keypair(store=True, label="p384", id=b"\x01")

    def rsa(session: pkcs11.Session) -> None:
        session.generate_keypair(pkcs11.KeyType.RSA, 2048, store=True, label="rsa", id=b"\x02")

    def ed448(session: pkcs11.Session) -> None:
        curve = {pkcs11.Attribute.EC_PARAMS: asn1.oid("1.3.101.113")}
        parameters = session.create_domain_parameters(pkcs11.KeyType.EC_EDWARDS, curve, local=True)
        parameters.generate_keypair(store=True, label="ed448", id=b"\x03")

    for make_key in (p384, rsa, ed448):
        with_session(token.module, token.label, pin, make_key, write=True)
    for label in ("p384", "rsa", "ed448"):
        found = find_in_token(token.module, token.label, label, pin)
        assert refused(lambda found=found: Pkcs11Signer(found, pin)) == "key_unsupported"


def test_missing_module_token_and_slot_are_named_apart(token: Token, tmp_path: Path) -> None:
    (tmp_path / "no-module.so").write_bytes(b"not a library")
    for module in ("/nowhere/libnone.so", str(tmp_path / "no-module.so")):
        assert refused(lambda module=module: find_in_token(module, token.label, "key", pin)) == "pkcs11_module_missing"
    assert refused(lambda: find_in_token(token.module, "another token", "key", pin)) == "pkcs11_token_missing"


def test_refusal_of_the_token_itself_is_told_by_its_name(token: Token) -> None:
    import pkcs11

    def impossible(session: pkcs11.Session) -> None:
        session.generate_keypair(pkcs11.KeyType.RSA, 7, store=False)

    with pytest.raises(EvidenceStoreError, match=r"did not do it: \w+") as caught:
        with_session(token.module, token.label, pin, impossible)
    assert caught.value.code == "pkcs11_failed"


def test_many_threads_sign_with_two_keys_of_one_token(token: Token) -> None:
    signers = [make(token, ECDSA_P256_SHA256, "seal"), make(token, ED25519, "log")]
    failed: list[BaseException] = []

    def work(signer: Pkcs11Signer, number: int) -> None:
        try:
            message = b"%d" % number
            verify(signer, signer.sign(message), message)
        except BaseException as error:  # noqa: BLE001 - told below
            failed.append(error)

    threads = [threading.Thread(target=work, args=(signers[n % 2], n)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed


def test_token_that_another_part_of_the_process_has_opened_signs_all_the_same(token: Token) -> None:
    import pkcs11

    where = generate_in_token(token.module, token.label, "key", ECDSA_P256_SHA256, pin)
    restart_module(token.module)
    with pkcs11.lib(token.module).get_token(token_label=token.label).open(user_pin=PIN):
        verify(signer := Pkcs11Signer(where, pin), signer.sign(b"m"), b"m")


def _sign_in_child(signer: Pkcs11Signer, line: object) -> None:
    line.send_bytes(signer.sign(b"from the child"))  # type: ignore[attr-defined]


@pytest.mark.filterwarnings("ignore:This process.*fork:DeprecationWarning")
def test_forked_process_opens_a_session_of_its_own(token: Token) -> None:
    signer = make(token)
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe()
    child = context.Process(target=_sign_in_child, args=(signer, there))
    child.start()
    assert here.poll(30)
    verify(signer, here.recv_bytes(), b"from the child")
    child.join()
    verify(signer, signer.sign(b"in the parent"), b"in the parent")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{",
        '{"v": 1}',
        '{"v": 2, "module": "m", "token": "t", "label": "l", "id": "00"}',
        '{"v": 1, "module": "m", "token": "t", "label": "l", "id": "0x"}',
        '{"v": 1, "module": "m", "token": "t", "label": "", "id": "00"}',
        '{"v": 1, "module": 7, "token": "t", "label": "l", "id": "00"}',
        "[" * 60_000,
        "\ud800",
    ],
    ids=range(11),
)
def test_file_that_names_no_key_is_damaged(tmp_path: Path, text: str) -> None:
    path = tmp_path / "seal.pkcs11"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    path.chmod(0o600)
    assert refused(lambda: load_token_key(path)) == "key_damaged"


def test_file_that_others_may_write_could_load_their_library_and_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "seal.pkcs11"
    save_token_key(path, TokenKey("m", "t", "l", "00"))
    path.chmod(0o666)
    assert refused(lambda: load_token_key(path)) == "key_permissions"
    assert refused(lambda: load_token_key(tmp_path / "none")) == "key_missing"
