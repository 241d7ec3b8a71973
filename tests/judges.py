"""Foreign judges: programs and modules that nobody here wrote and that must agree with us.

Where a judge is missing, its tests skip and say so; in CI (`CI=true`) that is a failure.
"""

from __future__ import annotations

import asyncio
import importlib
import os
from collections.abc import Sequence
from types import ModuleType
from typing import Any, NoReturn

import pytest
from asn1crypto import cms
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from scripts.judges import find


def require(tool: str) -> str:
    """The path of a program on PATH, or of a file that `scripts.judges.FILES` names."""
    path = find(tool)
    if path is None:
        _missing(tool)
    return path


def require_module(name: str) -> ModuleType:
    """An importable Python module."""
    try:
        return importlib.import_module(name)
    except ImportError:
        _missing(name)


def judged_by_pyhanko(
    der: bytes, data: bytes, roots: Sequence[x509.Certificate], time_roots: Sequence[x509.Certificate]
) -> Any:  # noqa: ANN401
    """pyHanko's verdict on a detached seal over some bytes."""
    generic = require_module("pyhanko.sign.validation.generic_cms")
    settings = require_module("pyhanko.sign.validation.settings")
    context = require_module("pyhanko_certvalidator").ValidationContext

    def trusting(those: Sequence[x509.Certificate]) -> Any:  # noqa: ANN401
        loaded = [asn1_x509.Certificate.load(one.public_bytes(Encoding.DER)) for one in those]
        return context(trust_roots=loaded, moment=None)

    return asyncio.run(
        generic.async_validate_detached_cms(
            data,
            cms.ContentInfo.load(der)["content"],
            signer_validation_context=trusting(roots),
            ts_validation_context=trusting(time_roots),
            key_usage_settings=settings.KeyUsageConstraints(key_usage={"digital_signature", "non_repudiation"}),
        )
    )


def _missing(judge: str) -> NoReturn:
    message = f"missing judge: {judge}"
    if os.environ.get("CI") == "true":
        pytest.fail(message, pytrace=False)
    pytest.skip(message)
