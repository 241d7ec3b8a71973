"""Background work over HTTP: who sees it, how far it is, and trying again what was given up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from sqlmodel import select

from app.errors import InvalidInputError
from app.jobs.models import Job
from app.jobs.service import Claim
from app.jobs.worker import Worker
from tests.apis import Api, opened, refused
from tests.checks import assert_clean
from tests.databases import BACKENDS


@dataclass(frozen=True)
class Scene:
    """T1 holds an item whose analysis was given up; T2 holds one that waits; one job is about nothing."""

    api: Api
    item: str
    dead: str
    foreign: str
    common: str


@pytest.fixture(scope="module", params=BACKENDS)
def scene(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with opened(tmp_path_factory.mktemp("jobs"), request.param) as api:
        item = api.deposit(b"an item in T1")["item"]["id"]
        give_up(api)
        api.deposit(b"an item in T2", who="outsider", case="T2")
        with api.services.archive.db.write() as session:
            api.services.jobs.enqueue(session, "chore", "x", {"about": "nothing"})
        ids = {(job["kind"], job["item"] == item): job["id"] for job in listed(api, "adm", "")}
        yield Scene(api, item, ids["analyse", True], ids["analyse", False], ids["chore", False])


def give_up(api: Api) -> None:
    """Fail the analysis that waits, with its last attempt."""

    def fails(_claim: Claim) -> None:
        raise InvalidInputError("broken", "it cannot be done")

    with api.services.archive.db.write() as session:
        session.exec(select(Job).where(Job.kind == "analyse", Job.state == "ready")).one().max_attempts = 1
    worker = Worker(api.services.jobs, {"analyse": fails, "seal": api.services.intake.handle_seal})
    while worker.run_one():
        pass


def listed(api: Api, who: str, query: str) -> list[dict[str, str]]:
    answer = api.get(who, f"/jobs{query}")
    assert answer.status_code == 200, answer.text
    jobs: list[dict[str, str]] = answer.json()["jobs"]
    return jobs


def test_jobs_are_for_those_who_may_read_their_items(scene: Scene) -> None:
    api = scene.api
    for path in ("/jobs", f"/jobs/{scene.dead}"):
        refused(api.get(None, path), 401, "token_required")
        refused(api.get("aud", path), 403, "not_allowed")
    for who in ("ana", "leo", "adm"):
        assert api.get(who, f"/jobs/{scene.dead}").json()["item"] == scene.item
    refused(api.get("outsider", f"/jobs/{scene.dead}"), 404, "unknown_job")
    refused(api.get("ana", f"/jobs/{scene.foreign}"), 404, "unknown_job")
    refused(api.get("ana", f"/jobs/{scene.common}"), 404, "unknown_job")
    assert api.get("adm", f"/jobs/{scene.common}").json()["item"] is None
    assert {job["item"] for job in listed(api, "ana", "")} == {scene.item}
    assert scene.item not in {job["item"] for job in listed(api, "outsider", "")}
    assert {job["id"] for job in listed(api, "adm", "")} >= {scene.dead, scene.foreign, scene.common}
    refused(api.get("outsider", f"/jobs?item={scene.item}"), 404, "unknown_item")


def test_jobs_are_listed_by_state_and_item_page_by_page(scene: Scene) -> None:
    api = scene.api
    assert [job["id"] for job in listed(api, "adm", "?state=dead")] == [scene.dead]
    assert {job["item"] for job in listed(api, "adm", f"?item={scene.item}")} == {scene.item}
    everything = [job["id"] for job in listed(api, "adm", "")]
    seen, cursor = [], ""
    while True:
        page = api.get("adm", f"/jobs?limit=2{cursor}").json()
        seen += [job["id"] for job in page["jobs"]]
        if page["cursor"] is None:
            break
        cursor = f"&cursor={page['cursor']}"
    assert seen == everything
    refused(api.get("adm", "/jobs?state=lost"), 422, "bad_state")
    refused(api.get("adm", "/jobs?cursor=x"), 422, "bad_cursor")
    refused(api.get("adm", "/jobs?cursor=99999999999999999999"), 422, "bad_cursor")
    for odd in ("0", "x", "99999999999999999999", "-1", "%C2%B2"):
        refused(api.get("adm", f"/jobs/{odd}"), 404, "unknown_job")


def test_work_that_was_given_up_reads_as_failed_until_it_is_tried_again(scene: Scene) -> None:
    api = scene.api
    shown = api.get("ana", f"/items/{scene.item}").json()
    assert shown["worked_off"] is True
    assert shown["analysis"]["state"] == "failed"
    assert shown["analysis"]["failure_code"] == "work_given_up"
    assert shown["analysis"]["failure_detail"] == "broken: it cannot be done"
    comparison = api.get("ana", f"/items/{scene.item}/matches").json()["comparison"]
    assert (comparison["state"], comparison["code"]) == ("failed", "work_given_up")

    path = f"/jobs/{scene.dead}/retry"
    refused(api.post(None, path), 401, "token_required")
    refused(api.post("leo", path), 403, "not_allowed")
    refused(api.post("aud", path), 403, "not_allowed")
    refused(api.post("outsider", path), 404, "unknown_job")
    again = api.post("ana", path)
    assert again.status_code == 200, again.text
    assert (again.json()["state"], again.json()["reason"]) == ("ready", "broken: it cannot be done")
    refused(api.post("ana", path), 409, "job_not_dead")
    waiting = api.get("ana", f"/items/{scene.item}").json()
    assert waiting["worked_off"] is False
    assert waiting["analysis"]["state"] == "pending"

    with api.services.archive.db.write() as session:
        session.delete(session.exec(select(Job).where(Job.kind == "chore")).one())
    api.work()
    done = api.get("ana", f"/items/{scene.item}").json()
    assert done["worked_off"] is True
    assert {job["kind"]: job["state"] for job in done["work"]} == {
        "seal": "done",
        "analyse": "done",
        "fingerprint": "done",
        "match": "done",
    }
    told = [event for event in api.events(scene.item) if event["type"].startswith("work ")]
    assert [event["type"] for event in told] == ["work given up", "work resumed"]
    assert told[1]["actor"]["name"] == "ana"
    assert_clean(api.services)


def test_progress_is_shown_while_a_job_runs(lite: Api) -> None:
    item = lite.deposit(b"a long one")["item"]["id"]
    jobs = lite.services.jobs
    while (claim := jobs.claim("worker")) is not None and claim.kind != "analyse":
        with lite.services.archive.db.write() as session:
            jobs.finish(session, claim)
    assert claim is not None
    jobs.progress(claim, 61, 1800)
    (job,) = (job for job in lite.get("ana", f"/items/{item}").json()["work"] if job["kind"] == "analyse")
    assert (job["state"], job["progress_done"], job["progress_total"]) == ("running", 61, 1800)
    assert job["started_at"]
