"""Whom content credentials are trusted under: PEM files that the operator names, read anew for each analysis."""

from __future__ import annotations

import hashlib
from pathlib import Path

from cryptography import x509

from app.analysis.probes.c2pa import NOBODY, TrustTexts
from app.config import Settings
from app.errors import EnvironmentFailedError

_MAX_LIST = 8 * 1024 * 1024


def load_trust(settings: Settings) -> TrustTexts:
    """The lists of `CATENA_C2PA_TRUST` and `CATENA_C2PA_ALLOWED`.

    Raises:
        EnvironmentFailedError: `trust_list_unreadable`: a list is named and cannot be read, or holds no certificate. A
            signer must not pass for untrusted because a disk was away.
    """
    if settings.c2pa_trust is None and settings.c2pa_allowed is None:
        return NOBODY
    anchors, allowed = _certificates(settings.c2pa_trust), _certificates(settings.c2pa_allowed)
    digest = hashlib.sha256(b"\0".join(text.encode("ascii") for text in (anchors, allowed))).hexdigest()
    return TrustTexts(anchors, allowed, digest)


def _certificates(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        with path.open("rb") as stream:
            data = stream.read(_MAX_LIST)
        x509.load_pem_x509_certificates(data)
        return data.decode("ascii")
    except OSError as error:
        raise EnvironmentFailedError("trust_list_unreadable", f"{path}: {error.strerror or error}") from error
    except ValueError as error:
        raise EnvironmentFailedError("trust_list_unreadable", f"{path} is no list of PEM certificates") from error
