"""Redacted copies of originals: made in the sandbox, reviewed by a second person, given in the place of the original.

1. The original is only read. A copy is a derivative with digests of its own; an event of the item ties both together.
2. That event names no digest of the original: it may go to somebody from whom the original is withheld.
3. Nothing that only its maker has looked at goes out.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from pydantic import JsonValue
from sqlmodel import Session, col, select

from app.access.models import User
from app.access.service import Access, Principal, principal_of
from app.archive import Archive
from app.custody.outputs import output
from app.custody.service import events_of
from app.disclosure.models import Redaction, RedactionReview
from app.disclosure.redact_making import Copy, make_copy, subject_of
from app.disclosure.redact_video import TimedBox
from app.disclosure.rules import parse_reason
from app.disclosure.withholding import REDACTED
from app.errors import DeniedError, InvalidInputError, NotFoundError
from app.evidence.models import Blob, Derivative, Item
from app.evidence.service import permitted_item
from app.jobs.models import Job
from app.jobs.service import Claim, Jobs
from app.law.rules import clean_text
from app.review.rules import LinkState, may_review, parse_comment, parse_decision, state_of

Method = Literal["fill", "mosaic"]
METHODS: tuple[Method, ...] = get_args(Method)
REDACT_JOB = "redaction"
ASKED = "asked for"
LONG_SECONDS = 60.0
"""Of recordings that are longer nobody waits for a copy."""

MAX_REGIONS = 200
_ATTEMPTS = 2  # what is wrong with the file or the request is wrong the second time
_MAX_EDGE = 1_000_000
_MAX_MS = 7 * 24 * 3_600_000
_BOX, _TIMED = 4, 6


@dataclass(frozen=True)
class RedactionView:
    """A redacted copy, and where it stands."""

    row: Redaction
    made: Derivative
    reviews: Sequence[RedactionReview]

    @property
    def state(self) -> LinkState:
        """`proposed`, `approved`, `rejected` or `disputed`."""
        return state_of(self.row.created_by, self.reviews)

    def as_json(self) -> dict[str, object]:
        """For interfaces."""
        return {
            "id": self.row.id,
            "item": self.row.item_id,
            "state": self.state,
            "method": self.row.method,
            "regions": json.loads(self.row.regions),
            "reason": self.row.reason,
            "sha256": self.row.sha256,
            "media_type": self.made.media_type,
            "width": self.made.width,
            "height": self.made.height,
            "created_at": self.row.created_at,
            "created_by": self.row.created_by,
            "reviews": [
                {
                    "decision": one.decision,
                    "comment": one.comment,
                    "reviewer": one.reviewer_id,
                    "created_at": one.created_at,
                }
                for one in self.reviews
            ],
        }


class Redactions:
    """The redacted copies of one archive."""

    def __init__(self, archive: Archive, access: Access, jobs: Jobs) -> None:
        """Bind to an archive."""
        self._archive = archive
        self._access = access
        self._jobs = jobs

    def redact(
        self, who: Principal, item_id: str, regions: Iterable[Sequence[int]], method: str, reason: str
    ) -> RedactionView:
        """Make a redacted copy of a photo or of a recording.

        Args:
            who: its maker.
            item_id: UUID text.
            regions: (x, y, width, height) in pixels of the upright picture; none: only the metadata are left out, and
                the sound. Of a recording also (x, y, width, height, from, to), in milliseconds of its proxy.
            method: `fill`, which is safe, or `mosaic`, which is not, and is for photos only.
            reason: why.

        Raises:
            NotFoundError: `unknown_item`.
            DeniedError: `not_allowed`.
            InvalidInputError: `bad_region`, `bad_method`, `reason_required`, `text_too_long`, `bad_text`.
            AnalysisError, SandboxFailure: as `make_copy`.
        """
        item, _ = permitted_item(self._archive, self._access, who, item_id, "item.original")
        boxes, how, why = parse_regions(regions), parse_method(method), parse_reason(reason, "reason")
        copy = make_copy(self._archive, item, boxes, how)
        with self._archive.db.write() as session:
            self._archive.custody.lock(session)
            return self._write(session, who, item, boxes, how, why, copy)

    def redact_later(
        self,
        who: Principal,
        item_id: str,
        regions: Iterable[Sequence[int]],
        method: str,
        reason: str,
        *,
        even_short: bool = False,
    ) -> Job | None:
        """Have a redacted copy of a recording made by a worker. The request is an event of the item.

        Args:
            who: as in `redact`, and so are `item_id`, `regions`, `method` and `reason`.
            item_id: see there.
            regions: see there.
            method: see there.
            reason: see there.
            even_short: also of a recording that takes no time worth a job.

        Returns:
            The job; None where nobody needs to wait: for a photo, and a short recording.

        Raises:
            NotFoundError, DeniedError, InvalidInputError: as `redact`.
            ConflictError: `not_analysed_yet`.
        """
        item, _ = permitted_item(self._archive, self._access, who, item_id, "item.original")
        boxes, how, why = parse_regions(regions), parse_method(method), parse_reason(reason, "reason")
        subject = subject_of(self._archive, item, boxes, how)
        is_short = subject.seconds is not None and subject.seconds <= LONG_SECONDS
        if not subject.is_recording or (is_short and not even_short):
            return None
        custody, about = self._archive.custody, f"item:{item.id}"
        shown: list[JsonValue] = [_listed(box) for box in boxes]
        asked: dict[str, JsonValue] = {"outcome": ASKED, "method": how, "regions": shown, "reason": why}
        with self._archive.db.write() as session:
            custody.lock(session)
            event = custody.record(session, about, "redaction", who.actor, details=asked).event_id
            payload = {"item": item.id, "event": event}
            self._jobs.enqueue(session, REDACT_JOB, event, payload, subject=about, max_attempts=_ATTEMPTS)
            return session.exec(select(Job).where(Job.dedupe_key == f"{REDACT_JOB}:{event}")).one()

    def handle_redact(self, claim: Claim) -> None:
        """Job handler: make a copy that the log says was asked for; its maker is asked for his rights again.

        Raises:
            NotFoundError, DeniedError, UnauthenticatedError: he has them no longer; `unknown_request`.
            AnalysisError, SandboxFailure: as `make_copy`.
        """
        with self._archive.db.read() as session:
            asked = _asked(session, claim.payload)
            user = session.get(User, asked["actor"]["id"])
        if user is None:
            raise NotFoundError("unknown_user", "who asked for this copy is gone")
        who, details = principal_of(user, asked["actor"]["auth"]), asked["details"]
        item, _ = permitted_item(self._archive, self._access, who, claim.payload["item"], "item.original")
        boxes, how = parse_regions(details["regions"]), parse_method(details["method"])

        def progress(done: int, total: int | None) -> None:
            self._jobs.progress(claim, done, total)

        copy = make_copy(self._archive, item, boxes, how, progress)
        with self._archive.db.write() as session:
            self._archive.custody.lock(session)
            self._write(session, who, item, boxes, how, details["reason"], copy)
            self._jobs.finish(session, claim)

    def _write(
        self,
        session: Session,
        who: Principal,
        item: Item,
        boxes: list[TimedBox],
        method: Method,
        reason: str,
        copy: Copy,
    ) -> RedactionView:
        custody, digests = self._archive.custody, copy.digests
        shown: list[JsonValue] = [_listed(box) for box in boxes]
        now = custody.now()
        rows: list[Blob | Derivative | Redaction] = []
        if session.get(Blob, digests.sha256) is None:
            stored = {"sha256": digests.sha256, "sha512": digests.sha512, "crc32": digests.crc32, "size": digests.size}
            rows.append(Blob.model_validate({**stored, "stored_at": now}))
        made = Derivative(
            id=str(uuid.uuid4()),
            item_id=item.id,
            role=REDACTED,
            sha256=digests.sha256,
            media_type=copy.media_type,
            width=copy.width,
            height=copy.height,
            created_at=now,
        )
        row = Redaction(
            id=str(uuid.uuid4()),
            item_id=item.id,
            derivative_id=made.id,
            sha256=digests.sha256,
            method=method,
            regions=json.dumps(shown),
            reason=reason,
            created_at=now,
            created_by=who.user_id,
        )
        rows += [made, row]
        for each in rows:
            session.add(each)
            session.flush()
        details: dict[str, JsonValue] = {
            **copy.told,
            "relationship": "derivation",
            "redaction": row.id,
            "method": method,
            "regions": shown,
            "reason": reason,
            "outputs": [output(REDACTED, digests, redaction=row.id)],
        }
        custody.record(session, f"item:{item.id}", "redaction", who.actor, details=details, rows=rows)
        return RedactionView(row, made, ())

    def review(self, who: Principal, redaction_id: str, decision: str, comment: str = "") -> RedactionView:
        """Approve or reject somebody else's redacted copy; of several decisions by one person the last one stands.

        Raises:
            NotFoundError: `unknown_redaction`.
            DeniedError: `not_allowed`, `own_work`; both are recorded.
            InvalidInputError: `bad_decision`, `comment_required`, `text_too_long`, `bad_text`.
        """
        view = self.get(who, redaction_id)
        item_id = view.row.item_id
        permitted_item(self._archive, self._access, who, item_id, "link.review")
        if not may_review(view.row.created_by, who.user_id):
            self._access.record_denial(who.actor, f"item:{item_id}", "review of the own redaction")
            raise DeniedError("own_work", "a second person must look at this copy: you made it")
        verdict = parse_decision(decision)
        because = parse_comment(comment, verdict)
        custody = self._archive.custody
        with self._archive.db.write() as session:
            custody.lock(session)
            number = len(_reviews(session, [redaction_id])) + 1
            row = RedactionReview(
                id=str(uuid.uuid4()),
                redaction_id=redaction_id,
                number=number,
                decision=verdict,
                comment=because,
                reviewer_id=who.user_id,
                created_at=custody.now(),
            )
            details: dict[str, JsonValue] = {"redaction": redaction_id, "decision": verdict, "comment": because}
            custody.record(session, f"item:{item_id}", "review", who.actor, details=details, rows=[row])
        return self.get(who, redaction_id)

    def get(self, who: Principal, redaction_id: str) -> RedactionView:
        """One redacted copy.

        Raises:
            NotFoundError: `unknown_redaction`.
            DeniedError: `not_allowed`.
        """
        with self._archive.db.read() as session:
            row = session.get(Redaction, redaction_id)
        if row is None:
            raise _unknown()
        try:
            return next(one for one in self.of_item(who, row.item_id) if one.row.id == redaction_id)
        except NotFoundError:
            raise _unknown() from None

    def of_item(self, who: Principal, item_id: str) -> list[RedactionView]:
        """The redacted copies of an item, oldest first.

        Raises:
            NotFoundError: `unknown_item`.
            DeniedError: `not_allowed`.
        """
        permitted_item(self._archive, self._access, who, item_id, "item.read")
        with self._archive.db.read() as session:
            return _views(session, item_id)

    def approved(self, item_id: str) -> list[RedactionView]:
        """Those that a second person has approved and nobody rejects, for an export that has asked for the right."""
        with self._archive.db.read() as session:
            return [one for one in _views(session, item_id) if one.state == "approved"]

    def record_access(self, who: Principal, view: RedactionView) -> None:
        """Write into the log that a copy is looked at, before its bytes leave."""
        with self._archive.db.write() as session:
            details: dict[str, JsonValue] = {"part": REDACTED, "redaction": view.row.id}
            self._archive.custody.record(session, f"item:{view.row.item_id}", "access", who.actor, details=details)


def _asked(session: Session, payload: Mapping[str, str]) -> dict[str, Any]:
    """The event by which somebody asked for a copy: a job names it, and nothing else of a job is believed.

    Raises:
        NotFoundError: `unknown_request`.
    """
    for stored in events_of(session, f"item:{payload['item']}"):
        event: dict[str, Any] = json.loads(stored.canonical)
        named = event["event_id"] == payload["event"] and event["type"] == "redaction"
        if named and event["details"].get("outcome") == ASKED:
            return event
    raise NotFoundError("unknown_request", "the log has no request for this copy")


def parse_regions(given: Iterable[Sequence[int]]) -> list[TimedBox]:
    """Regions of a picture; of a recording, each may have a time.

    Raises:
        InvalidInputError: `bad_region`.
    """
    boxes: list[TimedBox] = []
    for region in given:
        x, y, width, height, *times = region if len(region) in {_BOX, _TIMED} else (-1, 0, 0, 0)
        if min(x, y) < 0 or min(width, height) < 1 or max(x, y, width, height) > _MAX_EDGE:
            raise InvalidInputError(
                "bad_region",
                "a region is x,y,width,height in whole pixels of the upright picture, of a recording also from,to in "
                "milliseconds",
            )
        if times and not 0 <= times[0] < times[1] <= _MAX_MS:
            raise InvalidInputError("bad_region", "a region's time is from,to in milliseconds, the first one sooner")
        boxes.append(TimedBox((x, y, width, height), *times))
    if len(boxes) > MAX_REGIONS:
        raise InvalidInputError("bad_region", f"at most {MAX_REGIONS} regions")
    return boxes


def _listed(one: TimedBox) -> list[JsonValue]:
    return [*one.box, *((one.from_ms, one.to_ms) if one.from_ms is not None else ())]


def parse_method(text: str) -> Method:
    """How regions are hidden.

    Raises:
        InvalidInputError: `bad_method`.
    """
    for method in METHODS:
        if text == method:
            return method
    raise InvalidInputError("bad_method", f"'{clean_text(text[:40], 40, 'method')}' is none of {', '.join(METHODS)}")


def _views(session: Session, item_id: str) -> list[RedactionView]:
    rows = session.exec(
        select(Redaction, Derivative)
        .join(Derivative, col(Derivative.id) == col(Redaction.derivative_id))
        .where(Redaction.item_id == item_id)
        .order_by(col(Redaction.created_at), col(Redaction.id))
    ).all()
    reviews = _reviews(session, [row.id for row, _ in rows])
    return [RedactionView(row, made, [one for one in reviews if one.redaction_id == row.id]) for row, made in rows]


def _reviews(session: Session, redactions: Sequence[str]) -> list[RedactionReview]:
    found = select(RedactionReview).where(col(RedactionReview.redaction_id).in_(redactions))
    return list(session.exec(found.order_by(col(RedactionReview.redaction_id), col(RedactionReview.number))))


def _unknown() -> NotFoundError:
    return NotFoundError("unknown_redaction", "there is no such redacted copy, or you are not a member of its case")
