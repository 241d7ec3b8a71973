"""The suggestion rules of one archive as use-cases: a lawyer changes them with a reason, a second one confirms."""

from __future__ import annotations

import hashlib
import json
import math
import re
import uuid
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from pydantic import ValidationError
from sqlmodel import Session, col, func, select

from app.access.service import Access, Principal
from app.archive import Archive
from app.custody.outputs import output
from app.errors import ConflictError, DeniedError, EnvironmentFailedError, InvalidInputError, NotFoundError
from app.law.care_models import RuleChange, RuleChangeReview
from app.law.rules import clean_text
from app.law.rules_in_force import Change, InForce, Reviewed, in_force, provisions_named, readable, same_vocabulary
from app.law.suggestions_rules import RuleBase, packaged_rules, parse_rules
from app.law.versions import Catalogues
from evidence_store.canonical import canonical_bytes
from schemas.records.v1.law_care import MAX_REASONS, RuleChangeRecord
from schemas.records.v1.link import Person

MAX_FILE_BYTES = 4 * 1024 * 1024
CHANGE_ROLE, FILE_ROLE = "rule change", "rule file"
_DECIMAL = re.compile(r"\d{1,9}(\.\d{1,9})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Switch:
    """What a lawyer asks for: one of the three kinds of change."""

    rule: str | None = None
    on: bool | None = None
    threshold: str | None = None
    value: str | None = None
    data: bytes | None = None


class RuleCare:
    """The suggestion rules of one archive."""

    def __init__(self, archive: Archive, access: Access, catalogues: Catalogues) -> None:
        """Bind to an archive."""
        self._archive = archive
        self._access = access
        self._catalogues = catalogues
        self._parsed: dict[str, RuleBase] = {}

    def in_force(self) -> InForce:
        """The rules in force now.

        Raises:
            EnvironmentFailedError: `rules_invalid`, `rules_damaged`.
        """
        with self._archive.db.read() as session:
            return in_force(_changes(session), packaged_rules(), self._parse)

    def changes(self, who: Principal) -> list[Change]:
        """Every change with where it stands, oldest first.

        Raises:
            DeniedError: `not_allowed`.
        """
        self._access.require(who, "law.read")
        with self._archive.db.read() as session:
            return _changes(session)

    def file(self, who: Principal) -> bytes:
        """The bytes of the rule file in force.

        Raises:
            DeniedError: `not_allowed`.
        """
        self._access.require(who, "law.read")
        imported = [one.data for one in self.in_force().changes if one.data is not None]
        return imported[-1] if imported else (files("app.law") / "data" / "rules.json").read_bytes()

    def change(self, who: Principal, asked: Switch, reason: str) -> Change:
        """Change the rules: switch one on or off, set a threshold, or bring another file.

        A switch and a threshold hold at once and are marked as unconfirmed; a file waits for a second lawyer.

        Raises:
            DeniedError: `not_allowed`.
            InvalidInputError: `reason_required`, `text_too_long`, `bad_text`, `unknown_rule`, `unknown_threshold`,
                `bad_threshold`, `bad_rules`.
            ConflictError: `rules_unchanged`.
        """
        self._access.require(who, "law.sign")
        because = clean_text(reason, MAX_REASONS, "reason")
        if not because:
            raise InvalidInputError("reason_required", "say why the rules change: whoever reads a suggestion sees it")
        custody = self._archive.custody
        with self._archive.db.write() as session:
            custody.lock(session)
            known = _changes(session)
            self._check(asked, in_force(known, packaged_rules(), self._parse).base)
            kind = "import" if asked.data is not None else "rule" if asked.rule is not None else "threshold"
            record = RuleChangeRecord.model_validate(
                {
                    "number": len(known) + 1,
                    "kind": kind,
                    "file_sha256": None if asked.data is None else hashlib.sha256(asked.data).hexdigest(),
                    "rule": asked.rule,
                    "on": asked.on,
                    "threshold": asked.threshold,
                    "value": asked.value,
                    "reason": because,
                    "lawyer": Person(id=who.user_id, name=who.name, auth=who.auth),
                    "created_at": custody.now(),
                }
            )
            return self._put(session, who, record, asked.data)

    def _put(self, session: Session, who: Principal, record: RuleChangeRecord, data: bytes | None) -> Change:
        row = RuleChange(
            number=record.number,
            kind=record.kind,
            record=canonical_bytes(record.model_dump(mode="json")),
            data=data,
            created_at=record.created_at,
            created_by=who.user_id,
        )
        made = [output(CHANGE_ROLE, row.record)] + ([] if data is None else [output(FILE_ROLE, data)])
        self._archive.custody.record(
            session,
            self._archive.about,
            "catalogue change",
            who.actor,
            details={"rules": record.kind, "number": record.number, "outputs": made},
            rows=[row],
        )
        return Change(record, (), data)

    def _check(self, asked: Switch, base: RuleBase) -> None:
        if asked.data is not None:
            self._check_file(asked.data, base)
        elif asked.rule is not None:
            base.without([asked.rule])
            if (asked.rule not in base.switched_off) is bool(asked.on):
                raise ConflictError("rules_unchanged", f"{asked.rule} is {'on' if asked.on else 'off'} already")
        else:
            name, value = asked.threshold or "", asked.value
            if value is not None and not _DECIMAL.fullmatch(value):
                raise InvalidInputError("bad_threshold", f"{name[:64]} must be a number above 0, as decimal text")
            number = base.default_thresholds.get(name, math.nan) if value is None else float(value)
            base.with_thresholds({name: number})
            if base.thresholds[name] == number:
                raise ConflictError("rules_unchanged", f"{name} is {number:g} already")

    def _check_file(self, data: bytes, base: RuleBase) -> None:
        if len(data) > MAX_FILE_BYTES:
            raise InvalidInputError("bad_rules", f"a rule file may have {MAX_FILE_BYTES} bytes")
        parsed = readable(self._parse, data)
        if isinstance(parsed, str):
            raise InvalidInputError("bad_rules", parsed)
        if parsed.sha256 == base.sha256:
            raise ConflictError("rules_unchanged", "that file is in force already")
        if (fact := same_vocabulary(parsed, packaged_rules())) is not None:
            raise InvalidInputError("bad_rules", f"fact {fact[:64]!r} is not as this program knows it")
        lost = provisions_named(parsed) - set(self._catalogues.current()[1].provisions)
        if lost:
            raise InvalidInputError("bad_rules", f"the catalogue has no provision {min(lost)[:64]!r}")

    def review(self, who: Principal, number: int, decision: str, comment: str = "") -> Change:
        """Confirm or refuse a change that another lawyer made.

        Raises:
            DeniedError: `not_allowed`, or `own_work` for one's own change; both are recorded.
            NotFoundError: `unknown_rule_change`.
            InvalidInputError: `bad_decision`, `comment_required`, `text_too_long`, `bad_text`.
        """
        self._access.require(who, "law.sign")
        if decision not in ("confirm", "refuse"):
            raise InvalidInputError("bad_decision", "a decision is one of confirm, refuse")
        reasons = clean_text(comment, MAX_REASONS, "comment")
        if decision == "refuse" and not reasons:
            raise InvalidInputError("comment_required", "a refusal needs a comment")
        with self._archive.db.read() as session:
            found = session.get(RuleChange, number)
        if found is None:
            raise NotFoundError("unknown_rule_change", f"there is no change {number} of the rules")
        if found.created_by == who.user_id:
            self._access.record_denial(who.actor, self._archive.about, "law.sign of the own change")
            raise DeniedError("own_work", "a second lawyer must confirm this change: it is your own")
        custody = self._archive.custody
        with self._archive.db.write() as session:
            custody.lock(session)
            highest = select(func.max(RuleChangeReview.number)).where(RuleChangeReview.change_number == number)
            row = RuleChangeReview(
                id=str(uuid.uuid4()),
                change_number=number,
                number=(session.exec(highest).one() or 0) + 1,
                decision=decision,
                comment=reasons,
                created_at=custody.now(),
                created_by=who.user_id,
            )
            custody.record(
                session,
                self._archive.about,
                "review",
                who.actor,
                details={"rules": number, "number": row.number, "decision": decision},
                rows=[row],
            )
            session.flush()
            return _changes(session)[number - 1]

    def _parse(self, data: bytes) -> RuleBase:
        digest = hashlib.sha256(data).hexdigest()
        if digest not in self._parsed:
            tasks = json.loads((files("app.law") / "data" / "fact_tasks.json").read_bytes())
            self._parsed[digest] = parse_rules(data, tasks)
        return self._parsed[digest]


def as_json(care: InForce) -> dict[str, Any]:
    """The rules in force, for interfaces."""
    base = care.base
    return {
        "version": base.version,
        "status": base.status,
        "sha256": base.sha256,
        "thresholds": {name: f"{value:g}" for name, value in base.thresholds.items()},
        "default_thresholds": {name: f"{value:g}" for name, value in base.default_thresholds.items()},
        "rules": [
            {"id": rule.id, "title": rule.title, "on": rule.id not in base.switched_off} for rule in base.rules.values()
        ],
        **care.told(),
    }


def _changes(session: Session) -> list[Change]:
    reviews: dict[int, list[Reviewed]] = {}
    ordered = select(RuleChangeReview).order_by(col(RuleChangeReview.change_number), col(RuleChangeReview.number))
    for one in session.exec(ordered):
        reviews.setdefault(one.change_number, []).append(Reviewed(one.created_by, one.decision == "confirm"))
    rows = session.exec(select(RuleChange).order_by(col(RuleChange.number)))
    return [_change(row, tuple(reviews.get(row.number, ()))) for row in rows]


def _change(row: RuleChange, reviews: tuple[Reviewed, ...]) -> Change:
    try:
        record = RuleChangeRecord.model_validate_json(row.record)
        whole = record.kind != "import" or (row.data and hashlib.sha256(row.data).hexdigest() == record.file_sha256)
    except (ValidationError, TypeError):
        whole = False
    if not whole:
        detail = f"change {row.number} of the rules is not as it was written: run 'catena audit'"
        raise EnvironmentFailedError("rules_damaged", detail, status=500)
    return Change(record, reviews, row.data)
