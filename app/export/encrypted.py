"""A bundle encrypted to named recipients: what leaves is recorded before its first byte."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import closing

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from app.access.service import Principal
from app.archive import Archive
from app.errors import InvalidInputError
from app.export.service import Exports
from evidence_store.durable import coded_errors
from evidence_store.envelope import encrypt, load_recipients
from evidence_store.errors import EvidenceStoreError

_CHUNK = 1 << 20


class EncryptedBundles:
    """Bundles of one archive, under keys of recipients."""

    def __init__(self, archive: Archive, exports: Exports) -> None:
        """Bind to an archive."""
        self._archive = archive
        self._exports = exports

    def require_fit(self, certificates: Sequence[x509.Certificate]) -> None:
        """Refuse recipients to whom nothing can be encrypted today; for who makes a bundle only to encrypt it.

        Raises:
            InvalidInputError: `recipient_unfit`.
        """
        try:
            encrypt((), certificates, self._archive.clock())
        except EvidenceStoreError as error:
            raise InvalidInputError(error.code, error.detail) from error

    def stream(self, who: Principal, export_id: str, certificates: Sequence[x509.Certificate]) -> Iterator[bytes]:
        """A finished bundle as CMS AuthEnvelopedData.

        Args:
            who: who hands it out.
            export_id: UUID of the export.
            certificates: of the recipients; each can decrypt it alone.

        Raises:
            NotFoundError: `unknown_export`.
            DeniedError: `not_allowed`.
            ConflictError: `export_not_ready`, `export_failed`.
            InvalidInputError: `recipient_unfit`.
            EnvironmentFailedError: `bundle_missing`, `bundle_damaged`.
        """
        self._exports.get(who, export_id)
        self.require_fit(certificates)  # asked before anything is recorded or opened
        row, path = self._exports.open_bundle(who, export_id)
        prints = [hashlib.sha256(one.public_bytes(Encoding.DER)).hexdigest() for one in certificates]
        with self._archive.db.write() as session:
            self._archive.custody.record(
                session,
                f"export:{export_id}",
                "dissemination",
                who.actor,
                details={"outcome": "encrypted", "sha256": row.sha256, "recipients_sha256": [*prints]},
            )
        return encrypt(_chunks(str(path)), certificates)


def parse_recipients(pems: Sequence[bytes]) -> list[x509.Certificate]:
    """The recipients' certificates, each once.

    Raises:
        InvalidInputError: `recipient_unfit`.
    """
    try:
        found = [certificate for pem in pems for certificate in load_recipients(pem)]
    except EvidenceStoreError as error:
        raise InvalidInputError(error.code, error.detail) from error
    return list(dict.fromkeys(found))


def _chunks(path: str) -> Iterator[bytes]:
    with coded_errors("read the bundle"), closing(open(path, "rb")) as stream:  # noqa: PTH123 - closed with it
        while chunk := stream.read(_CHUNK):
            yield chunk
