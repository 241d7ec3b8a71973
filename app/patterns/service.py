"""Inclusion rules of a case, and counts under them, as use-cases: authorise, decide, write, record."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from typing import Any

from pydantic import JsonValue, ValidationError
from sqlmodel import Session, col, select

from app.access.service import Access, Principal
from app.archive import Archive
from app.custody.outputs import output
from app.errors import ConflictError, EnvironmentFailedError, InvalidInputError, NotFoundError
from app.evidence.models import Case
from app.incidents.bodies import check_body
from app.incidents.records import person
from app.incidents.service import checked_reason
from app.incidents.store import EntryView
from app.law.suggestions_rules import packaged_rules
from app.patterns.conditions import InclusionRule, read_rule
from app.patterns.counting import Counted, count
from app.patterns.models import PatternRuleVersion
from app.patterns.population import aggregates_today, cited, seen_today
from evidence_store.canonical import canonical_bytes
from schemas.records.v1.pattern import CitedRule, PatternRuleRecord

RULE_ROLE = "rule"
WORDING = "counts what records say under the rule; no finding of fact or law"
_SEPARATOR = "@"


@dataclass(frozen=True, slots=True)
class RuleView:
    """A rule in one version."""

    record: PatternRuleRecord
    sha256: str

    @property
    def cited(self) -> CitedRule:
        """As a release names it."""
        record = self.record
        return CitedRule(ref=record.ref, number=record.number, sha256=self.sha256, body=record.body)

    def as_json(self) -> dict[str, Any]:
        """For interfaces."""
        return {**self.record.model_dump(mode="json", exclude={"v", "type", "author"}), "sha256": self.sha256} | {
            "author": self.record.author.id
        }


class Patterns:
    """Inclusion rules and counts of one archive."""

    def __init__(self, archive: Archive, access: Access) -> None:
        """Bind to an archive."""
        self._archive = archive
        self._access = access

    def put_rule(
        self, who: Principal, case: Case, ref: str, body: dict[str, JsonValue], reason: str | None = None
    ) -> RuleView:
        """State a rule, or state it anew; earlier versions stay.

        Args:
            who: the author.
            case: of which incidents it speaks.
            ref: its name for people, unique in the case, without `@`.
            body: see docs/patterns.md.
            reason: why it is stated anew; None for a new one.

        Raises:
            NotFoundError: `unknown_case`.
            DeniedError: `not_allowed`.
            InvalidInputError: `bad_pattern_rule`, `bad_incident_ref`, `bad_incident_entry`, `reason_required`,
                `pattern_rule_unchanged`.
            ConflictError: `pattern_rule_exists` for a known name without a reason.
        """
        self._access.require(who, "incident.write", case.id)
        checked = check_body("other", ref, body)
        if _SEPARATOR in ref:
            raise InvalidInputError("bad_incident_ref", "the name of a rule holds no @: it separates the version")
        read_rule(checked, packaged_rules().vocabulary)
        because = None if reason is None else checked_reason(reason)
        custody = self._archive.custody
        with self._archive.db.write() as session:
            custody.lock(session)  # the number that is read now is the newest until the commit
            earlier = _versions(session, case.id, ref)
            newest = _view(earlier[-1]) if earlier else None
            if newest is not None and because is None:
                raise ConflictError("pattern_rule_exists", f"the case has a rule {ref[:64]!r}: say why it changes")
            if newest is not None and newest.record.body == checked:
                raise InvalidInputError("pattern_rule_unchanged", f"that is what version {len(earlier)} states")
            record = PatternRuleRecord(
                rule=str(uuid.uuid4()) if newest is None else newest.record.rule,
                case=case.id,
                ref=ref,
                number=len(earlier) + 1,
                body=checked,
                reason=None if newest is None else because,
                author=person(who),
                created_at=custody.now(),
            )
            return self._put(session, who, record)

    def _put(self, session: Session, who: Principal, record: PatternRuleRecord) -> RuleView:
        row = PatternRuleVersion(
            id=str(uuid.uuid4()),
            case_id=record.case,
            ref=record.ref,
            number=record.number,
            record=canonical_bytes(record.model_dump(mode="json")),
            created_at=record.created_at,
            created_by=who.user_id,
        )
        self._archive.custody.record(
            session,
            f"pattern:{record.rule}",
            "annotation" if record.number == 1 else "metadata modification",
            who.actor,
            details={
                "case": record.case,
                "number": record.number,
                "reason": record.reason,
                "outputs": [output(RULE_ROLE, row.record, version=row.id)],
            },
            rows=[row],
        )
        return _view(row)

    def rules(self, who: Principal, case: Case) -> list[RuleView]:
        """Every version of every rule of a case, by name.

        Raises:
            NotFoundError: `unknown_case`.
            DeniedError: `not_allowed`.
        """
        self._access.require(who, "incident.read", case.id)
        with self._archive.db.read() as session:
            found = select(PatternRuleVersion).where(PatternRuleVersion.case_id == case.id)
            ordered = found.order_by(col(PatternRuleVersion.ref), col(PatternRuleVersion.number))
            return [_view(row) for row in session.exec(ordered)]

    def rule(self, who: Principal, case: Case, name: str) -> RuleView:
        """A rule by name, the newest version, or `NAME@NUMBER`.

        Raises:
            NotFoundError: `unknown_case`, `unknown_pattern_rule`.
            DeniedError: `not_allowed`.
        """
        self._access.require(who, "incident.read", case.id)
        with self._archive.db.read() as session:
            return rule_named(session, case.id, name)

    def count(self, who: Principal, case: Case, name: str) -> dict[str, Any]:
        """Count a case's incidents of today under a rule; counts by others stand beside, as they were published.

        Raises:
            NotFoundError: `unknown_case`, `unknown_pattern_rule`.
            DeniedError: `not_allowed`.
        """
        self._access.require(who, "incident.read", case.id)
        with self._archive.db.read() as session:
            rule = rule_named(session, case.id, name)
            done = counted(rule, session, case.id)
            beside = [published(one) for one in aggregates_today(session, case.id)]
        return {
            "wording": WORDING,
            "case": case.ref,
            "counted_at": self._archive.custody.now(),
            "rule": rule.cited.model_dump(mode="json"),
            "members": [{**one.model_dump(mode="json"), "because": [*done.because[one.entry]]} for one in done.members],
            "numbers": done.numbers,
            "published_by_others": beside,
        }


def counted(rule: RuleView, session: Session, case_id: str) -> Counted:
    """The incidents of a case as they are now, counted."""
    return count(parsed(rule.cited), seen_today(session, case_id))


def parsed(rule: CitedRule) -> InclusionRule:
    """The rule that a release or a version states."""
    return read_rule(rule.body, packaged_rules().vocabulary)


def published(view: EntryView) -> dict[str, JsonValue]:
    """A count that somebody published: one statement with a number, never merged with ours or expanded."""
    body, standing = view.record.body, view.record.standing
    return {
        **cited(view).model_dump(mode="json"),
        "claim": body.get("claim"),
        "value": body.get("value"),
        "counter": body.get("counter"),
        "period": body.get("period"),
        "inclusion_rule": standing.get("inclusion_rule"),
        "exclusions": body.get("exclusions", []),
        "denominator": standing.get("denominator"),
        "includes": body.get("includes", []),
        "includes_possible": body.get("includes_possible", []),
        "expanded": False,
        "compared": "not with our numbers: its rule, period and unit are its own",
    }


def rule_named(session: Session, case_id: str, name: str) -> RuleView:
    """A rule of a case.

    Raises:
        NotFoundError: `unknown_pattern_rule`.
    """
    ref, at, number = name.rpartition(_SEPARATOR) if _SEPARATOR in name else (name, "", "")
    found = _versions(session, case_id, ref) if check_name(ref) else []
    if at:
        found = [row for row in found if number.isascii() and number.isdecimal() and str(row.number) == number]
    if not found:
        raise NotFoundError("unknown_pattern_rule", f"the case has no inclusion rule {name[:64]!r}")
    return _view(found[-1])


def check_name(ref: str) -> bool:
    """Whether a name can be one; a database is not asked for another."""
    try:
        check_body("other", ref, {})
    except InvalidInputError:
        return False
    return True


def _versions(session: Session, case_id: str, ref: str) -> list[PatternRuleVersion]:
    found = select(PatternRuleVersion).where(PatternRuleVersion.case_id == case_id, PatternRuleVersion.ref == ref)
    return list(session.exec(found.order_by(col(PatternRuleVersion.number))))


def _view(row: PatternRuleVersion) -> RuleView:
    try:
        record = PatternRuleRecord.model_validate_json(row.record)
    except (ValidationError, TypeError):
        detail = f"inclusion rule {row.id} is not as it was written: run 'catena audit'"
        raise EnvironmentFailedError("pattern_damaged", detail, status=500) from None
    return RuleView(record, hashlib.sha256(row.record).hexdigest())
