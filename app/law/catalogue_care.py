"""Care of the catalogue as use-cases: import and export of versions, sign-off entry by entry, what applies when."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import JsonValue
from sqlmodel import Session, col, select

from app.access.service import Access, Principal
from app.archive import Archive
from app.custody.outputs import output
from app.errors import ConflictError, DeniedError, EnvironmentFailedError, InvalidInputError, NotFoundError
from app.law.care_models import CatalogueImport, ProvisionSignoff
from app.law.catalogue import Catalogue, Resorted, parse_catalogue, resorted
from app.law.models import CatalogueVersion
from app.law.rule_care import RuleCare
from app.law.rules import clean_text
from app.law.rules_in_force import provisions_named
from app.law.signoffs import entry_digest, read_signoff
from app.law.suggestions_applicability import Days, applies, packaged_status
from app.law.suggestions_facts import parse_facts
from app.law.suggestions_rules import packaged_rules
from app.law.versions import Catalogues
from evidence_store.canonical import canonical_bytes
from schemas.records.v1.law_care import MAX_REASONS, ProvisionSignoffRecord
from schemas.records.v1.link import Person
from schemas.records.v1.provision import CatalogueReference, Provision

MAX_FILE_BYTES = 16 * 1024 * 1024
SIGNOFF_ROLE = "provision sign-off"
Warn = Callable[[Principal, Sequence[Resorted]], list[dict[str, JsonValue]]]


class CatalogueCare:
    """The catalogue of one archive, cared for."""

    def __init__(
        self, archive: Archive, access: Access, catalogues: Catalogues, rules: RuleCare, warnings: Warn
    ) -> None:
        """Bind to an archive; `warnings` tells which links a new version sorts otherwise."""
        self._archive = archive
        self._access = access
        self._catalogues = catalogues
        self._rules = rules
        self._warnings = warnings

    def take_in(self, who: Principal, data: bytes, reason: str) -> dict[str, Any]:
        """Import a catalogue file as a further version; links keep the one that they were made against.

        The bytes of an earlier version go back to it: its content becomes a further version.

        Args:
            who: who brings it.
            data: a JSON array of provisions; its every entry is a draft until it is signed off in this version.
            reason: why, 1 to 8,000 characters.

        Returns:
            The version's number and SHA-256, which entries are new, changed or gone against the one before, and
            `warnings`: elements that take protection away no longer, or only now, with the links to them.

        Raises:
            DeniedError: `not_allowed`.
            InvalidInputError: `bad_catalogue`, `reason_required`, `text_too_long`, `bad_text`.
            ConflictError: `catalogue_known` for bytes that are here and say what the newest version says.
        """
        self._access.require(who, "law.manage")
        because = clean_text(reason, MAX_REASONS, "reason")
        if not because:
            raise InvalidInputError("reason_required", "say why the catalogue changes")
        parsed = self._readable(data)
        number, before = self._catalogues.current()
        lost = provisions_named(self._rules.in_force().base) - set(parsed.provisions)
        if lost:
            raise InvalidInputError("bad_catalogue", f"the rules in force name {min(lost)}, which it does not have")
        row, new = self._catalogues.load(who.actor, data, (who.user_id, because))
        if not new:
            said = f"these bytes are version {row.version} of the catalogue, and the newest says the same"
            raise ConflictError("catalogue_known", said)
        warnings = self._warnings(who, resorted(before, parsed))
        done = {"version": row.version, "sha256": row.sha256, "before": number, "warnings": warnings}
        return {**done, **_changed(before, parsed)}

    def _readable(self, data: bytes) -> Catalogue:
        if len(data) > MAX_FILE_BYTES:
            raise InvalidInputError("bad_catalogue", f"a catalogue may have {MAX_FILE_BYTES} bytes")
        try:
            parsed = parse_catalogue(data)
        except EnvironmentFailedError as error:  # of a file that is brought, it is the bringer's fault
            raise InvalidInputError("bad_catalogue", error.detail) from None
        if not parsed.provisions:
            raise InvalidInputError("bad_catalogue", "it holds no provision")
        return parsed

    def give_out(self, who: Principal, version: int | None = None) -> bytes:
        """The very bytes of a version, the newest when none is named.

        Raises:
            DeniedError: `not_allowed`.
            NotFoundError: `unknown_catalogue_version`.
        """
        self._access.require(who, "law.read")
        number = self._catalogues.current()[0] if version is None else version
        self._catalogues.version(number)  # says so when its bytes were changed
        with self._archive.db.read() as session:
            row = session.get(CatalogueVersion, number)
        return b"" if row is None else row.data

    def versions(self, who: Principal) -> list[dict[str, Any]]:
        """All versions, oldest first, with who brought them and why; the first came with the program.

        Raises:
            DeniedError: `not_allowed`.
        """
        self._access.require(who, "law.read")
        with self._archive.db.read() as session:
            rows = list(session.exec(select(CatalogueVersion).order_by(col(CatalogueVersion.version))))
            brought = {row.version: row for row in session.exec(select(CatalogueImport))}
        return [
            {
                "version": row.version,
                "sha256": row.sha256,
                "loaded_at": row.loaded_at,
                "provisions": len(self._catalogues.version(row.version).provisions),
                "imported_by": brought[row.version].created_by if row.version in brought else None,
                "reason": brought[row.version].reason if row.version in brought else "came with the program",
            }
            for row in rows
        ]

    def sign(
        self, who: Principal, provision_id: str, decision: str, scope: str, version: int | None = None
    ) -> ProvisionSignoffRecord:
        """Sign an entry off in one version, or withdraw one's sign-off.

        Args:
            who: a lawyer.
            provision_id: of the catalogue.
            decision: `sign` or `withdraw`.
            scope: what was checked, or why it is withdrawn; 1 to 8,000 characters.
            version: the newest when none is named.

        Raises:
            NotFoundError: `unknown_provision`, `unknown_catalogue_version`.
            DeniedError: `not_allowed`, or `own_work` for an entry that the lawyer's own import made or changed.
            InvalidInputError: `bad_decision`, `scope_required`, `text_too_long`, `bad_text`.
            ConflictError: `not_signed_off` when there is nothing of the lawyer's to withdraw.
        """
        self._access.require(who, "law.sign")
        if decision not in ("sign", "withdraw"):
            raise InvalidInputError("bad_decision", "a decision is one of sign, withdraw")
        checked = clean_text(scope, MAX_REASONS, "scope")
        if not checked:
            raise InvalidInputError("scope_required", "say what you checked, or why you withdraw")
        number = self._catalogues.current()[0] if version is None else version
        catalogue = self._catalogues.version(number)
        provision = _provision(catalogue.provisions, provision_id)
        custody = self._archive.custody
        with self._archive.db.read() as session:
            self._refuse_own(session, who, number, provision)
        with self._archive.db.write() as session:
            custody.lock(session)
            earlier = _signoffs(session, number, provision.id)
            own = [one for one in earlier if one.lawyer.id == who.user_id]
            if decision == "withdraw" and (not own or own[-1].decision == "withdraw"):
                raise ConflictError("not_signed_off", f"you have not signed {provision.id} off in version {number}")
            record = ProvisionSignoffRecord.model_validate(
                {
                    "signoff": str(uuid.uuid4()),
                    "catalogue": CatalogueReference(version=number, sha256=catalogue.sha256),
                    "provision": provision.id,
                    "entry_sha256": entry_digest(provision),
                    "number": len(earlier) + 1,
                    "decision": decision,
                    "scope": checked,
                    "lawyer": Person(id=who.user_id, name=who.name, auth=who.auth),
                    "created_at": custody.now(),
                }
            )
            self._put(session, who, record)
            return record

    def _put(self, session: Session, who: Principal, record: ProvisionSignoffRecord) -> None:
        row = ProvisionSignoff(
            id=record.signoff,
            catalogue_version=record.catalogue.version,
            provision_id=record.provision,
            number=record.number,
            decision=record.decision,
            record=canonical_bytes(record.model_dump(mode="json")),
            created_at=record.created_at,
            created_by=who.user_id,
        )
        self._archive.custody.record(
            session,
            self._archive.about,
            "review",
            who.actor,
            details={
                "provision": record.provision,
                "catalogue": record.catalogue.version,
                "decision": record.decision,
                "outputs": [output(SIGNOFF_ROLE, row.record, signoff=row.id)],
            },
            rows=[row],
        )

    def _refuse_own(self, session: Session, who: Principal, version: int, provision: Provision) -> None:
        """Whoever brought an entry, as it stands, is not the one who signs it off."""
        own = select(CatalogueImport.version).where(
            CatalogueImport.created_by == who.user_id, CatalogueImport.version <= version
        )
        digest = entry_digest(provision)
        for number in session.exec(own):
            here = self._catalogues.version(number).provisions.get(provision.id)
            before = self._catalogues.version(number - 1).provisions.get(provision.id) if number > 1 else None
            if here is None or entry_digest(here) != digest:
                continue
            if before is None or entry_digest(before) != digest:
                self._access.record_denial(who.actor, self._archive.about, "law.sign of the own import")
                raise DeniedError("own_work", f"another lawyer must sign {provision.id} off: it came with your import")

    def history(self, who: Principal, provision_id: str) -> list[ProvisionSignoffRecord]:
        """Every sign-off of an entry and every withdrawal, in all versions, oldest first.

        Raises:
            DeniedError: `not_allowed`.
            NotFoundError: `unknown_provision` for what no entry can be called; PostgreSQL cannot be asked for any text.
        """
        self._access.require(who, "law.read")
        if not provision_id.isprintable():
            raise NotFoundError("unknown_provision", "there is no such provision")
        with self._archive.db.read() as session:
            rows = select(ProvisionSignoff).where(ProvisionSignoff.provision_id == provision_id)
            ordered = rows.order_by(col(ProvisionSignoff.catalogue_version), col(ProvisionSignoff.number))
            return [read_signoff(row) for row in session.exec(ordered)]

    def applicability(
        self,
        who: Principal,
        provision_id: str | None = None,
        facts: Mapping[str, JsonValue] | None = None,
        days: Days | None = None,
        territory: str | None = None,
    ) -> list[dict[str, Any]]:
        """What the status data say of the application of one provision, or of all.

        Args:
            who: the reader.
            provision_id: None for all.
            facts: `conflict_type` and `actor`, as far as they are known.
            days: when it happened; None when that is not known.
            territory: State on whose territory it happened.

        Raises:
            DeniedError: `not_allowed`.
            NotFoundError: `unknown_provision`, `unknown_state`.
            InvalidInputError: `unknown_fact_value`.
        """
        self._access.require(who, "law.read")
        _, catalogue = self._catalogues.current()
        chosen = catalogue.provisions
        if provision_id is not None:
            chosen = {provision_id: _provision(chosen, provision_id)}
        known = parse_facts(dict(facts or {}), packaged_rules().vocabulary)
        status = packaged_status()
        states = {state for named in status.instruments.values() for state in named}
        if territory is not None and territory not in states:
            raise NotFoundError("unknown_state", f"the status data know {', '.join(sorted(states))}")
        acting = status.actors.get(str(known["actor"][0])) if "actor" in known else None
        return [
            _applied(one, applies(one, known, days, status, type_decided=False), acting, territory)
            for one in chosen.values()
        ]


def _applied(provision: Provision, found: Any, acting: str | None, territory: str | None) -> dict[str, Any]:  # noqa: ANN401 - Applies
    """Yes only where both the type of conflict and the instrument's force for the acting party are known."""
    parties = {one["state"]: one for one in found.shown["parties"]}
    conflict, party = found.shown["conflict_type"], parties.get(acting or "", {})
    verdict, why = "unknown", "the type of conflict, the date or the party is not known, or no date is held"
    if found.stops is not None:
        verdict, why = "no", found.stops
    elif conflict["established"] is not None and party.get("in_force_then") == "yes":
        verdict, why = "yes", f"listed for {conflict['listed_for']}; in force for {acting} then, since {party['since']}"
    shown: dict[str, Any] = {"provision": provision.id, "instrument": provision.instrument}
    shown |= {"applies": verdict, "why": why}
    if territory is not None:
        on = parties.get(territory)
        shown["territory"] = {"state": territory, "in_force_then": "unknown" if on is None else on["in_force_then"]}
    return {**shown, **found.shown}


def _changed(before: Catalogue, after: Catalogue) -> dict[str, list[str]]:
    old, new = before.provisions, after.provisions
    return {
        "added": [name for name in new if name not in old],
        "changed": [name for name in new if name in old and new[name] != old[name]],
        "gone": [name for name in old if name not in new],
    }


def _signoffs(session: Session, version: int, provision_id: str) -> list[ProvisionSignoffRecord]:
    rows = select(ProvisionSignoff).where(
        ProvisionSignoff.catalogue_version == version, ProvisionSignoff.provision_id == provision_id
    )
    return [read_signoff(row) for row in session.exec(rows.order_by(col(ProvisionSignoff.number)))]


def _provision(provisions: Mapping[str, Provision], name: str) -> Provision:
    found = provisions.get(name)
    if found is None:
        raise NotFoundError("unknown_provision", f"the catalogue has no provision {name[:64]!r}")
    return found
