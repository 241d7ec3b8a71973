"""Places for bodies, room on the disk, and addresses that present refused tokens: told early, nothing half-kept."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlmodel import select

from app.access.service import Access
from app.clock import later
from app.intake.models import Upload
from tests.apis import CASE, Api, opened, refused
from tests.checks import assert_clean

LIMITS: dict[str, Any] = {
    "bodies_per_user": 2,
    "bodies_at_once": 3,
    "failures_per_minute": 5,
    "max_upload_bytes": 1000,
    "trusted_proxies": ("127.0.0.0/8",),
}
TUS = {"Tus-Resumable": "1.0.0"}
FIRST_BYTES = TUS | {"Upload-Length": "4", "Content-Type": "application/offset+octet-stream"}


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with opened(tmp_path_factory.mktemp("limits"), "sqlite", **LIMITS) as here:
        yield here
        assert_clean(here.services)


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Api]:
    """One whose addresses have no past."""
    with opened(tmp_path, "sqlite", **LIMITS) as here:
        yield here


def files(api: Api) -> set[Path]:
    return {one for one in api.services.archive.settings.blobs.rglob("*") if one.is_file()}


def uploads(api: Api) -> list[str]:
    with api.services.archive.db.read() as session:
        return sorted(session.exec(select(Upload.id)))


def places(api: Api) -> Any:  # noqa: ANN401 - the application's state
    return api.client.app.state.bodies  # type: ignore[attr-defined]


def test_who_sends_too_many_is_told_before_a_byte_is_read(api: Api) -> None:
    ana, adm = (api.services.access.local_operator(name) for name in ("ana", "adm"))
    before = files(api)
    begun = api.post("ana", f"/uploads?case={CASE}", headers=TUS | {"Upload-Length": "4"})
    path = begun.headers["location"].removeprefix("/api/v1")
    chunk = TUS | {"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    begun_before = uploads(api)
    with ExitStack() as taken:
        for _ in range(2):
            taken.enter_context(places(api).place(ana))
        refused(api.post(None, f"/items?case={CASE}", content=b"x"), 401, "token_required")
        refused(api.post("aud", f"/items?case={CASE}", content=b"x"), 403, "not_allowed")
        refused(api.post("outsider", f"/items?case={CASE}", content=b"x"), 404, "unknown_case")
        for method, where, body, fields in (
            ("POST", f"/items?case={CASE}", b"x", {}),
            ("POST", "/match", b"x", {}),
            ("PATCH", path, b"1234", chunk),
        ):
            answer = api.call("ana", method, where, content=body, headers=fields)
            problem = refused(answer, 429, "too_many_bodies")
            assert (problem["limit"], problem["used"]) == (2, 2)
            assert answer.headers["retry-after"] == str(problem["retry_after"])
        api.deposit(b"of somebody else", "adm")
        with places(api).place(adm):
            problem = refused(api.post("adm", f"/items?case={CASE}", content=b"y"), 429, "too_many_bodies")
            assert "used" not in problem, "what others send is their business"
        assert api.get("ana", "/me").status_code == 200
        refused(api.post("ana", f"/uploads?case={CASE}", content=b"12", headers=FIRST_BYTES), 429, "too_many_bodies")
        assert uploads(api) == begun_before, "a creation whose bytes find no place leaves no upload behind"
    assert places(api).under_way == 0
    assert len(files(api) - before) == 2  # the other's file, and the upload that was begun and holds nothing
    assert api.call("ana", "PATCH", path, content=b"1234", headers=chunk).status_code == 204
    assert api.get("aud", "/metrics").text.count("catena_bodies_refused_total 5") == 1


def test_places_are_free_again_however_a_body_ends(api: Api) -> None:
    for _ in range(4):
        assert api.stream("ana", f"/items?case={CASE}", [b"begun", None])[0] == 400
        refused(api.post("ana", f"/items?case={CASE}", content=b"", headers={"X-Source": "{"}), 400, "bad_header")
        problem = refused(api.post("ana", f"/items?case={CASE}", content=b"x" * 1001), 413, "too_large")
        assert problem["limit"] == 1000
        refused(api.post("ana", "/match", content=b"x" * 1001), 413, "too_large")
        assert api.stream("ana", f"/items?case={CASE}", [b"x" * 600, b"x" * 600])[0] == 413
        longer = FIRST_BYTES | {"Upload-Length": "1"}
        refused(api.post("ana", f"/uploads?case={CASE}", content=b"12", headers=longer), 413, "too_large")
    assert (places(api).under_way, api.services.intake.room.promised) == (0, 0)
    assert list((api.services.archive.settings.blobs / "staging").iterdir()) == []


def test_bodies_that_would_fit_alone_do_not_run_past_the_reserve_together(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = api.services.intake.room
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1500))
    before = files(api)
    held = room.hold(900)
    answer = api.post("ana", f"/items?case={CASE}", content=b"x" * 601)
    refused(answer, 507, "storage_full")
    assert answer.headers["retry-after"] == "60"
    refused(api.post("ana", "/match", content=b"x" * 601), 507, "storage_full")
    refused(api.post("ana", f"/uploads?case={CASE}", headers=TUS | {"Upload-Length": "601"}), 507, "storage_full")
    held.wrote(500)  # these are on the disk now, and no longer promised
    api.deposit(b"x" * 601)
    held.release()
    begun = api.post("ana", f"/uploads?case={CASE}", headers=TUS | {"Upload-Length": "900"})
    refused(api.post("ana", f"/items?case={CASE}", content=b"z" * 601), 507, "storage_full")
    path = begun.headers["location"].removeprefix("/api/v1")
    assert api.call("ana", "DELETE", path, headers=TUS).status_code == 204
    assert room.promised == 0
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=-1))
    ready = api.get(None, "/readyz")
    assert (ready.status_code, ready.json()["checks"]["disk"]) == (503, "failed")
    assert 'catena_disk_bytes{what="free"} -1' in api.get("aud", "/metrics").text
    assert len(files(api) - before) == 1


def an_hour_passes(api: Api) -> None:
    """Nothing of any upload has come for an hour."""
    with api.services.archive.db.write() as session:
        for upload in session.exec(select(Upload)):
            upload.updated_at = later(api.services.archive.clock(), -3601)
            session.add(upload)


def test_who_promises_the_whole_disk_and_sends_nothing_holds_it_for_an_hour_at_most(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    reserve = api.services.intake.room.reserve
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=reserve + 1000))
    begun = api.post("ana", f"/uploads?case={CASE}", headers=TUS | {"Upload-Length": "900"})
    path = begun.headers["location"].removeprefix("/api/v1")
    chunk = TUS | {"Content-Type": "application/offset+octet-stream"}
    assert api.call("ana", "PATCH", path, headers=chunk | {"Upload-Offset": "0"}, content=b"a" * 100).status_code == 204
    refused(api.post("outsider", "/items?case=T2", content=b"y" * 300), 507, "storage_full")
    an_hour_passes(api)
    other = api.post("outsider", "/uploads?case=T2", headers=TUS | {"Upload-Length": "600"})
    assert other.status_code == 201
    # Her room is gone, and she is told before she sends; what she has sent is kept.
    answer = api.call("ana", "PATCH", path, headers=chunk | {"Upload-Offset": "100"}, content=b"b" * 800)
    assert "go on from there later" in refused(answer, 507, "storage_full")["detail"]
    assert api.call("ana", "HEAD", path, headers=TUS).headers["upload-offset"] == "100"
    theirs = other.headers["location"].removeprefix("/api/v1")
    assert api.call("outsider", "DELETE", theirs, headers=TUS).status_code == 204
    assert api.call("ana", "PATCH", path, headers=chunk | {"Upload-Offset": "100"}, content=b"").status_code == 204
    refused(api.post("outsider", "/items?case=T2", content=b"y" * 300), 507, "storage_full")  # promised again
    answer = api.call("ana", "PATCH", path, headers=chunk | {"Upload-Offset": "100"}, content=b"b" * 800)
    assert answer.headers["catena-state"] == "done"
    assert api.services.intake.room.promised == 0
    assert_clean(api.services)


def test_a_digest_that_would_not_be_checked_is_refused(api: Api) -> None:
    before = files(api)
    answer = api.post("ana", f"/items?case={CASE}", content=b"x", headers={"Trailer": "Repr-Digest"})
    refused(answer, 400, "bad_header")
    assert files(api) == before


def test_a_guesser_is_turned_away_before_the_database_is_asked_and_colleagues_are_not(
    fresh: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    real = Access.authenticate

    def counted(self: Access, bearer: str) -> object:
        asked.append(bearer)
        return real(self, bearer)

    monkeypatch.setattr(Access, "authenticate", counted)
    assert fresh.get("ana", "/me").status_code == 200  # she has worked from here before
    guess = {"Authorization": f"Bearer catena_{'0' * 32}_{'0' * 64}"}
    for _ in range(5):
        refused(fresh.get(None, "/me", headers=guess), 401, "token_invalid")
    asked.clear()
    for _ in range(10):
        answer = fresh.get(None, "/me", headers=guess)
        problem = refused(answer, 429, "too_many_failures")
        assert 1 <= int(answer.headers["retry-after"]) == problem["retry_after"] <= 12
    assert asked == []
    refused(fresh.get("liz", "/me"), 429, "too_many_failures")  # not known yet: she waits as long as told
    assert fresh.get("ana", "/me").status_code == 200
    refused(fresh.get(None, "/me"), 401, "token_required")  # no token is no guess
    assert fresh.get(None, "/healthz").status_code == 200
    state = fresh.client.app.state  # type: ignore[attr-defined]
    assert state.failures.turned_away == 11
    assert state.denials.left_out == 11, "the next refusal in the log says how many there were"
    assert_clean(fresh.services)


def test_a_forged_address_does_not_help_a_guesser(fresh: Api) -> None:
    guess = {"Authorization": "Bearer guess"}
    codes = [
        fresh.get(None, "/me", headers=guess | {"X-Forwarded-For": f"192.0.2.{number}"}).status_code
        for number in range(8)
    ]
    assert codes == [401] * 5 + [429] * 3
