"""Who sealed the bundle, who signed the checkpoint, and does the caller trust them?"""

from __future__ import annotations

from cryptography import x509

from evidence_store.bundle import layout
from evidence_store.errors import EvidenceStoreError
from evidence_store.log.keyfile import KeyFile, parse_key_file
from evidence_store.log.note import open_own_checkpoint
from evidence_store.verify.context import Verification
from evidence_store.verify.files import MAX_RECORD
from evidence_store.verify.seals import open_seal
from evidence_store.verify.trust import parse_certificates


def check_seal(run: Verification) -> None:
    """The seal over the ASiCManifest, under the trusted CA or, without one, the bundle's own."""
    run.bundled_cas = bundled = _certificates(run, layout.CA_CERTIFICATE)
    seal_certificates = _certificates(run, layout.SEAL_CERTIFICATE)
    trusted = run.trust.roots if run.trust is not None else ()
    run.roots = trusted or bundled
    if not trusted:
        run.report.finding("trust_not_anchored", layout.CA_CERTIFICATE, "The certificate comes from the bundle itself.")
    for certificate in bundled if trusted else ():
        if certificate not in trusted:
            run.report.finding("ca_not_trusted", layout.CA_CERTIFICATE, certificate.subject.rfc4514_string())
    if not run.roots:
        run.not_run("seal", "There is no CA certificate to check it against.")
        return
    sealed = run.files.read(layout.ASIC_MANIFEST, "the seal", layout.MAX_LIST_BYTES)
    signature = run.files.read(layout.SEAL, "the seal")
    if sealed is None or signature is None:
        run.not_run("seal", "The seal or what it signs could not be read.")
        return
    try:
        run.seal = open_seal(signature, sealed, run.roots)
    except EvidenceStoreError as error:
        run.report.finding("seal_invalid", layout.SEAL, f"Over {layout.ASIC_MANIFEST}: {error.code}: {error.detail}.")
        return
    run.report.count("seals")
    if run.seal.info.certificate not in seal_certificates:
        detail = f"It was made with {run.seal.info.signer}."
        run.report.finding("seal_certificate_differs", layout.SEAL_CERTIFICATE, detail)


def check_checkpoint(run: Verification) -> None:
    """The log's signed state, under the trusted log key or, without one, the bundle's own."""
    _take_log_keys(run)
    note = run.files.read(layout.CHECKPOINT, "every bundle", MAX_RECORD)
    if note is None or not run.log_keys:
        run.not_run("checkpoint", "The checkpoint or the log's key could not be read.")
        return
    try:
        checkpoint, run.log_signers = open_own_checkpoint(note, run.log_keys)
    except EvidenceStoreError as error:
        run.report.finding("checkpoint_invalid", layout.CHECKPOINT, f"{error.code}: {error.detail}.")
        return
    run.checkpoint, run.checkpoint_note = checkpoint, note
    run.report.count("checkpoints")
    if run.manifest is None:
        run.not_run("checkpoint against manifest.json", "manifest.json could not be read.")
        return
    stated = (run.manifest.archive.log, run.manifest.checkpoint.size, run.manifest.checkpoint.root)
    if stated != (checkpoint.origin, checkpoint.size, checkpoint.root.hex()):
        run.report.finding("checkpoint_differs", layout.CHECKPOINT, "manifest.json names another log, size or root.")


def _take_log_keys(run: Verification) -> None:
    keys = KeyFile((), ())
    data = run.files.read(layout.LOG_VKEY, "every bundle")
    if data is not None:
        try:
            keys = parse_key_file(data)
        except EvidenceStoreError as error:
            run.report.finding("key_malformed", layout.LOG_VKEY, f"{error.code}: {error.detail}.")
    run.log_keys, run.pq_keys = keys.log_keys, keys.cosigner_keys
    if run.trust is None:
        run.report.finding("trust_not_anchored", layout.LOG_VKEY, "The key comes from the bundle itself.")
        return
    # with a trusted CA and no log key, the seal of the archive vouches for keys/log.vkey
    run.log_keys = list(run.trust.log_keys) or keys.log_keys
    run.pq_keys = list(run.trust.pq_keys) or keys.cosigner_keys


def _certificates(run: Verification, path: str) -> list[x509.Certificate]:
    data = run.files.read(path, "every bundle")
    if data is None:
        return []
    try:
        return parse_certificates(data)
    except EvidenceStoreError as error:
        run.report.finding("key_malformed", path, f"{error.code}: {error.detail}.")
        return []
