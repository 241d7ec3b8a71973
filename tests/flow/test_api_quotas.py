"""Quotas over HTTP: who decides, what counts, and that nothing of what is refused is kept."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import col, func, select

from app.custody.service import SYSTEM
from app.evidence.models import Blob, Item
from app.intake.models import Upload
from evidence_store.blobs.local import LocalBlobStore, LocalStagedBlob
from tests.apis import CASE, Api, opened, refused
from tests.archives import events_of
from tests.checks import assert_clean
from tests.databases import BACKENDS


@pytest.fixture(scope="module", params=BACKENDS)
def api(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """One archive for all of these tests; each has a user of its own."""
    with opened(tmp_path_factory.mktemp("quotas"), request.param) as here:
        yield here
        assert_clean(here.services)


@pytest.fixture
def eva(api: Api, request: pytest.FixtureRequest) -> str:
    """A user who has deposited nothing yet."""
    name = f"eva{sum(map(ord, request.node.name))}"
    api.services.access.create_user(SYSTEM, name, "investigator")
    case = api.services.evidence.find_case(api.services.access.local_operator(), CASE)
    api.services.access.add_member(SYSTEM, case.id, name)
    api.tokens[name] = api.services.access.create_token(SYSTEM, name)[1]
    return name


def quota(api: Api, name: str) -> dict[str, Any]:
    answer = api.get("adm", f"/users/{name}/quota")
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def decide(api: Api, name: str, size: int | None) -> None:
    assert api.call("adm", "PUT", f"/users/{name}/quota", json={"max_bytes": size}).status_code == 200


def kept(api: Api) -> tuple[int, int, set[Path]]:
    """Items, blobs, and all files of the store."""
    with api.services.archive.db.read() as session:
        items = session.exec(select(func.count()).select_from(Item)).one()
        blobs = session.exec(select(func.count()).select_from(Blob)).one()
    return items, blobs, {one for one in api.services.archive.settings.blobs.rglob("*") if one.is_file()}


def test_only_an_admin_sees_and_decides_quotas_of_others(api: Api) -> None:
    body = {"max_bytes": 1}
    for path in ("/users/ana/quota", "/users/nobody/quota"):
        refused(api.get(None, path), 401, "token_required")
        refused(api.call(None, "PUT", path, json=body), 401, "token_required")
        for who in ("ana", "liz", "aud"):
            refused(api.get(who, path), 403, "not_allowed")
            refused(api.call(who, "PUT", path, json=body), 403, "not_allowed")
            refused(api.call(who, "PUT", path, json={"nonsense": 1}), 403, "not_allowed")
    refused(api.get("adm", "/users/nobody/quota"), 404, "unknown_user")
    refused(api.call("adm", "PUT", "/users/nobody/quota", json=body), 404, "unknown_user")
    refused(api.get(None, "/me/quota"), 401, "token_required")
    assert api.get("aud", "/me/quota").json()["max_bytes"] is None
    for nonsense in ({"max_bytes": "1"}, {"max_bytes": 1.5}, {"max_bytes": True}, {}, {"max_bytes": 1, "more": 1}):
        refused(api.call("adm", "PUT", "/users/ana/quota", json=nonsense), 422, "invalid_request")
    for size in (-1, 2**53):
        refused(api.call("adm", "PUT", "/users/ana/quota", json={"max_bytes": size}), 422, "bad_quota")


def test_decisions_are_recorded_and_the_last_one_counts(api: Api, eva: str) -> None:
    for size in (5, 0, None, 2**53 - 1):
        decide(api, eva, size)
        assert quota(api, eva) == api.get(eva, "/me/quota").json()
        assert quota(api, eva) == {"items": 0, "bytes": 0, "promised": 0, "max_bytes": size, "decided": True}
    user = api.services.access.local_operator(eva)
    said = [event.details for event in events_of(api.services, f"user:{user.user_id}") if event.type == "user change"]
    assert [one["quota_bytes"] for one in said] == [5, 0, None, 2**53 - 1]
    assert all(one["rows"] for one in said)


def test_what_the_quota_cannot_take_is_refused_and_nothing_is_kept(api: Api, eva: str) -> None:
    decide(api, eva, 10)
    api.deposit(b"x" * 6, eva)
    before = kept(api)
    problem = refused(api.post(eva, f"/items?case={CASE}", content=b"12345"), 413, "quota_exceeded")
    assert (problem["limit"], problem["used"]) == (10, 6)
    status, _ = api.stream(eva, f"/items?case={CASE}", [b"1", b"2", b"345"])  # a body that does not say its size
    assert status == 413
    assert kept(api) == before
    api.deposit(b"x" * 4, eva)
    refused(api.post(eva, f"/items?case={CASE}", content=b""), 413, "quota_exceeded")
    assert quota(api, eva)["items"] == 2


def test_a_body_that_tells_no_size_is_taken_no_further_than_the_quota_goes(
    api: Api, eva: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mib = 1 << 20
    decide(api, eva, 3 * mib)
    before = kept(api)
    written: list[int] = []
    write = LocalStagedBlob.write

    def counted(self: LocalStagedBlob, chunk: bytes) -> None:
        written.append(len(chunk))
        write(self, chunk)

    monkeypatch.setattr(LocalStagedBlob, "write", counted)
    status, body = api.stream(eva, f"/items?case={CASE}", [b"x" * mib] * 20)
    assert (status, json.loads(body)["code"]) == (413, "quota_exceeded")
    assert sum(written) == 3 * mib, "what is over the quota is not even staged"
    assert kept(api) == before
    status, body = api.stream(eva, f"/items?case={CASE}", [b"x" * mib] * 3, {"Idempotency-Key": "k"})
    assert status == 201, body
    status, body = api.stream(eva, f"/items?case={CASE}", [b"x" * mib] * 3, {"Idempotency-Key": "k"})
    assert (status, json.loads(body)["repeated"]) == (201, True), "a repeat wants no room"


def test_the_same_bytes_count_twice_and_a_repeat_counts_once(api: Api, eva: str) -> None:
    decide(api, eva, 8)
    first = api.deposit(b"same", eva, idempotency_key="k")
    api.deposit(b"same", eva)
    again = api.deposit(b"same", eva, idempotency_key="k")  # the quota is full: a repeat wants no room
    assert (again["repeated"], again["item"]["id"]) == (True, first["item"]["id"])
    assert (quota(api, eva)["items"], quota(api, eva)["bytes"]) == (2, 8)


def test_a_promise_to_an_upload_counts_until_it_is_an_item_or_given_up(api: Api, eva: str) -> None:
    decide(api, eva, 10)
    fields = {"Tus-Resumable": "1.0.0", "Upload-Length": "7"}
    made = api.post(eva, f"/uploads?case={CASE}", headers=fields)
    assert made.status_code == 201, made.text
    assert quota(api, eva)["promised"] == 7
    refused(api.post(eva, f"/items?case={CASE}", content=b"1234"), 413, "quota_exceeded")
    refused(api.post(eva, f"/uploads?case={CASE}", headers=fields), 413, "quota_exceeded")
    decide(api, eva, 0)  # what was promised is kept, whatever is decided meanwhile
    path = made.headers["location"].removeprefix("/api/v1")
    chunk = {"Tus-Resumable": "1.0.0", "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    sent = api.call(eva, "PATCH", path, content=b"1234567", headers=chunk)
    assert sent.headers["catena-state"] == "done"
    assert quota(api, eva) == {"items": 1, "bytes": 7, "promised": 0, "max_bytes": 0, "decided": True}
    with api.services.archive.db.read() as session:
        assert session.exec(select(func.count()).where(col(Upload.state) == "open")).one() == 0


def test_deposits_at_once_fill_the_quota_exactly(api: Api, eva: str, monkeypatch: pytest.MonkeyPatch) -> None:
    decide(api, eva, 35)
    before = kept(api)
    meet = threading.Barrier(8)
    stage = LocalBlobStore.stage

    def together(self: LocalBlobStore) -> Any:  # noqa: ANN401 - a staged blob
        meet.wait(20)  # all of them have passed the first check
        return stage(self)

    monkeypatch.setattr(LocalBlobStore, "stage", together)
    with ThreadPoolExecutor(8) as pool:
        sent = [pool.submit(api.post, eva, f"/items?case={CASE}", content=b"%010d" % number) for number in range(8)]
        answers = [one.result() for one in sent]
    assert sorted(answer.status_code for answer in answers) == [201] * 3 + [413] * 5
    for answer in answers:
        if answer.status_code == 413:
            refused(answer, 413, "quota_exceeded")
    after = kept(api)
    assert (after[0] - before[0], after[1] - before[1]) == (3, 3)
    assert len(after[2] - before[2]) == 3, "of what was refused no byte is left"
    assert quota(api, eva)["bytes"] == 30


def test_the_last_word_is_spoken_inside_the_unit_of_work(api: Api, eva: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As another process has it, which knows nothing of what is under way here."""
    decide(api, eva, 3)
    before = kept(api)[:2]
    monkeypatch.setattr(api.services.quotas, "check", lambda *_: None)
    refused(api.post(eva, f"/items?case={CASE}", content=b"1234 of %s" % eva.encode()), 413, "quota_exceeded")
    assert kept(api)[:2] == before


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_setting_bounds_everybody_of_whom_nothing_was_decided(backend: str, tmp_path: Path) -> None:
    with opened(tmp_path, backend, user_quota_bytes=10) as here:
        assert here.get("ana", "/me/quota").json()["max_bytes"] == 10
        here.deposit(b"x" * 6, "ana")
        before = kept(here)
        problem = refused(here.post("ana", f"/items?case={CASE}", content=b"12345"), 413, "quota_exceeded")
        assert (problem["limit"], problem["used"]) == (10, 6)
        assert kept(here) == before
        decide(here, "ana", None)
        here.deposit(b"12345", "ana")
        assert_clean(here.services)
