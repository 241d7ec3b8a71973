"""A known user who is denied again and again: the log does not grow without end, and nothing is left out in silence."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlmodel import col, select

from app.access.denials import FIRST_SECONDS, MOST_IN_WINDOW, WINDOW_SECONDS, UserDenials
from app.attendants import attendants
from app.custody.models import EventRow
from app.errors import EnvironmentFailedError
from tests.apis import Api, refused
from tests.checks import assert_clean

FLOOD = MOST_IN_WINDOW + 12


class Now:
    """Seconds that a test moves."""

    def __init__(self, api: Api) -> None:
        self.seconds = 1000.0
        api.services.access.denials = UserDenials(lambda: self.seconds)


def denied(api: Api) -> list[dict[str, Any]]:
    """Events of denied attempts, oldest first."""
    with api.services.archive.db.read() as session:
        rows = select(EventRow).where(EventRow.type == "access denied").order_by(col(EventRow.leaf_index))
        return [json.loads(row.canonical) for row in session.exec(rows)]


def flood(api: Api, who: str = "outsider") -> None:
    """Attempts at a case of others, each of which is refused."""
    for _ in range(FLOOD):
        refused(api.get(who, "/cases/T1"), 404, "unknown_case")


def test_flood_of_denied_attempts_is_bounded_and_the_next_event_tells_how_many_were_left_out(lite: Api) -> None:
    now = Now(lite)
    flood(lite)
    assert len(denied(lite)) == MOST_IN_WINDOW
    assert all("left_out_before" not in one["details"] for one in denied(lite))
    assert "catena_user_denials_left_out 12" in lite.get("adm", "/metrics").text
    now.seconds += WINDOW_SECONDS
    refused(lite.get("outsider", "/cases/T1"), 404, "unknown_case")
    assert denied(lite)[-1]["details"] == {"attempted": "case.read", "left_out_before": 12}
    assert len(denied(lite)) == MOST_IN_WINDOW + 1
    assert lite.services.access.denials.left_out == 0
    assert_clean(lite.services)


def test_flood_hides_neither_another_right_nor_another_user(lite: Api) -> None:
    now = Now(lite)
    flood(lite)
    refused(lite.post("outsider", "/items?case=T1", content=b"x"), 404, "unknown_case")
    assert denied(lite)[-1]["details"] == {"attempted": "item.ingest", "left_out_before": 12}
    refused(lite.get("aud", "/items?case=T1"), 403, "not_allowed")
    assert denied(lite)[-1]["actor"]["name"] == "aud"
    before = len(denied(lite))
    now.seconds += FIRST_SECONDS - 1
    flood(lite)
    now.seconds += 1
    refused(lite.post("outsider", "/items?case=T1", content=b"x"), 404, "unknown_case")
    assert denied(lite)[-1]["details"]["attempted"] == "item.ingest"
    assert len(denied(lite)) == before + MOST_IN_WINDOW + 1


def test_what_was_left_out_is_told_though_the_user_never_comes_back(lite: Api) -> None:
    Now(lite)
    flood(lite)
    flood(lite, "outlaw")
    *_, teller = attendants(lite.services)
    teller.once()
    told = denied(lite)[-2:]
    assert [one["actor"]["name"] for one in told] == ["outsider", "outlaw"]
    assert [one["details"] for one in told] == [{"attempted": "case.read", "left_out_before": 12}] * 2
    teller.once()
    assert len(denied(lite)) == 2 * MOST_IN_WINDOW + 2  # nothing is told twice
    assert_clean(lite.services)


def test_number_is_kept_when_its_event_cannot_be_written(lite: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    Now(lite)
    flood(lite)

    def busy(*_: object, **__: object) -> None:
        raise EnvironmentFailedError("database_busy", "the database is busy; try again")

    with monkeypatch.context() as patched:
        patched.setattr(lite.services.archive.custody, "record", busy)
        with pytest.raises(EnvironmentFailedError):
            lite.services.access.tell_left_out()
    lite.services.access.tell_left_out()
    assert denied(lite)[-1]["details"]["left_out_before"] == 12


def test_the_log_grows_alike_whether_a_guessed_case_exists_or_not(lite: Api) -> None:
    Now(lite)
    for path in ("/cases/T1", "/cases/NONE"):
        flood(lite)
        before = len(denied(lite))
        refused(lite.get("outsider", path), 404, "unknown_case")
        assert len(denied(lite)) == before
