"""Which entries of a version of the catalogue are signed off, by whom: read from rows, decided by fixed rules.

1. A sign-off holds for exactly the version of the catalogue in which it was given, and the entry as it stands there.
2. Of each lawyer the last word counts; an entry is signed off while one lawyer's sign-off stands.
3. That an earlier version of the same entry was signed off is told. It lifts no draft mark.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from sqlmodel import Session, col, select

from app.errors import EnvironmentFailedError
from app.law.care_models import ProvisionSignoff
from evidence_store.canonical import canonical_bytes
from schemas.records.v1.law_care import ProvisionSignoffRecord
from schemas.records.v1.provision import DRAFT_MARK, Provision


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an entry stands in one version.

    Attributes:
        signed: the sign-offs that stand, by lawyer.
        before: version in which the very same entry was signed off; None when it never was, or is now.
    """

    signed: tuple[ProvisionSignoffRecord, ...] = ()
    before: int | None = None

    @property
    def status(self) -> str:
        """The draft mark, or who signed it off."""
        if not self.signed:
            return DRAFT_MARK
        names = "; ".join(f"{one.lawyer.name}, {one.created_at[:10]}" for one in self.signed)
        return f"signed off in version {self.signed[0].catalogue.version}: {names}"

    def as_json(self) -> list[dict[str, Any]]:
        """The sign-offs that stand, for interfaces."""
        return [
            {"lawyer": one.lawyer.name, "at": one.created_at, "scope": one.scope, "entry_sha256": one.entry_sha256}
            for one in self.signed
        ]


def entry_digest(provision: Provision) -> str:
    """SHA-256 of the canonical form of an entry, hex."""
    return hashlib.sha256(canonical_bytes(provision.model_dump(mode="json"))).hexdigest()


def standings(session: Session, version: int, provisions: Mapping[str, Provision]) -> dict[str, Standing]:
    """Where each of these entries stands in a version."""
    rows = select(ProvisionSignoff)
    if len(provisions) == 1:
        rows = rows.where(ProvisionSignoff.provision_id == next(iter(provisions)))
    found: dict[str, list[ProvisionSignoffRecord]] = {}
    for row in session.exec(rows.order_by(col(ProvisionSignoff.catalogue_version), col(ProvisionSignoff.number))):
        if row.provision_id in provisions:
            found.setdefault(row.provision_id, []).append(read_signoff(row))
    return {name: _standing(version, provision, found.get(name, ())) for name, provision in provisions.items()}


def _standing(version: int, provision: Provision, made: Iterable[ProvisionSignoffRecord]) -> Standing:
    digest = entry_digest(provision)
    by_version: dict[int, dict[str, ProvisionSignoffRecord]] = {}
    for one in made:
        if one.entry_sha256 == digest:
            by_version.setdefault(one.catalogue.version, {})[one.lawyer.id] = one
    signed = {
        number: tuple(one for one in last.values() if one.decision == "sign") for number, last in by_version.items()
    }
    here = signed.get(version, ())
    before = max((number for number, some in signed.items() if some and number < version), default=None)
    return Standing(here, None if here else before)


def read_signoff(row: ProvisionSignoff) -> ProvisionSignoffRecord:
    """The record of a sign-off.

    Raises:
        EnvironmentFailedError: `signoff_damaged` when it was changed in the database.
    """
    try:
        record = ProvisionSignoffRecord.model_validate_json(row.record)
    except (ValidationError, TypeError):
        record = None
    if record is None or (record.provision, record.catalogue.version, record.decision) != (
        row.provision_id,
        row.catalogue_version,
        row.decision,
    ):
        detail = f"sign-off {row.id} is not as it was written: run 'catena audit'"
        raise EnvironmentFailedError("signoff_damaged", detail, status=500)
    return record
