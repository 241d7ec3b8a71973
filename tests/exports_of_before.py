"""Exports as they were made before ADR 43: row, event and list of a set name each bundle by SHA-512, too."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest import mock

from pydantic import JsonValue

from app.export.making import Maker
from app.export.models import ExportPartRow
from app.export.publish import Staged
from evidence_store.bundle.plan import BundlePlan
from evidence_store.bundle.sets import BundleSet

_WRITE, _LIST = Maker._write, Maker._list


def _output(part: ExportPartRow) -> dict[str, JsonValue]:
    return {"role": "bundle", "sha256": part.sha256, "sha512": part.sha512, "size": part.size}


@contextmanager
def exports_as_before(sha512: str | None = None) -> Iterator[None]:
    """Exports made meanwhile are as they were.

    Args:
        sha512: what is said instead of the true digest.
    """

    def write(maker: Maker, plan: BundlePlan, staged: Staged) -> ExportPartRow:
        row = _WRITE(maker, plan, staged)
        row.sha512 = sha512 or hashlib.sha512(staged.final.read_bytes()).hexdigest()
        return row

    def list_of(maker: Maker, frame: Any, plan: BundlePlan, rows: Sequence[ExportPartRow]) -> BundleSet:  # noqa: ANN401
        whole = _LIST(maker, frame, plan, rows)
        pairs = zip(whole.parts, rows, strict=True)
        return replace(whole, parts=[replace(part, sha512=row.sha512) for part, row in pairs])

    with (
        mock.patch.object(Maker, "_write", write),
        mock.patch.object(Maker, "_list", list_of),
        mock.patch("app.export.ledger._output", _output),
    ):
        yield
