"""Versions of metadata records over HTTP: who may ask, what stays, what differs, and the event of each run."""

from __future__ import annotations

import hashlib
from pathlib import Path
from unittest.mock import patch

from app.access.service import Principal
from app.analysis import record_bytes, service, versions
from tests.apis import Api, refused
from tests.checks import assert_clean
from tests.media_samples import exif_bytes, photo


def principal(api: Api, name: str) -> Principal:
    return api.services.access.authenticate(api.tokens[name])


def deposited(api: Api, folder: Path) -> str:
    block = exif_bytes({0x010F: "Maker"}, {0x9003: "2025:06:14 10:31:07"})
    data = photo(folder / "a.jpg", exif=block).read_bytes()
    item: str = api.deposit(data, X_Filename="a.jpg")["item"]["id"]
    return item


def test_newer_analyser_makes_a_version_beside_the_old_one(api: Api, tmp_path: Path) -> None:
    item = deposited(api, tmp_path)
    path = f"/items/{item}/analyses"
    for method, at in (("GET", path), ("POST", path), ("GET", f"{path}/changes?before=1&after=2")):
        refused(api.call(None, method, at), 401, "token_required")
        refused(api.call("aud", method, at), 403, "not_allowed")
        for stranger in ("outsider", "outlaw"):
            refused(api.call(stranger, method, at), 404, "unknown_item")
    refused(api.post("leo", path), 403, "not_allowed")
    refused(api.post("ana", path), 409, "analysis_pending")
    assert api.get("ana", path).json()["versions"] == []
    api.work()

    first = api.get("ana", f"/items/{item}/metadata").content
    refused(api.get("ana", f"/items/{item}/metadata?version=2"), 404, "unknown_version")
    answer = api.post("ana", path)
    assert (answer.status_code, answer.json()) == (202, {"item": item, "version": 2})
    refused(api.post("ana", path), 409, "analysis_pending")
    newer = record_bytes.from_bytes(first).model_copy(update={"tools": {"catena": "next"}})
    newer = newer.model_copy(
        update={"device": newer.device.model_copy(update={"make": newer.device.make.model_copy(update={"value": "M"})})}
    )
    changed = service.Findings(record_bytes.to_bytes(newer), None, None, None)
    with (
        patch.object(service, "examine", return_value=changed),
        patch.object(service, "ANALYSER_VERSION", "next"),
        patch.object(versions, "ANALYSER_VERSION", "next"),
    ):
        assert [each.id for each in api.services.versions.outdated(principal(api, "ana"))] == [item]
        api.work()
        assert api.services.versions.outdated(principal(api, "ana")) == []

    listed = api.get("leo", path).json()["versions"]
    assert [(one["version"], one["state"], one["analyser"]) for one in listed] == [
        (1, "done", record_bytes.ANALYSER_VERSION),
        (2, "done", "next"),
    ]
    assert api.get("ana", f"/items/{item}/metadata?version=1").content == first
    newest = api.get("ana", f"/items/{item}/metadata").content
    assert newest == api.get("ana", f"/items/{item}/metadata?version=2").content == record_bytes.to_bytes(newer)
    assert [one["sha256"] for one in listed] == [hashlib.sha256(record).hexdigest() for record in (first, newest)]

    differing = api.get("ana", f"{path}/changes?before=1&after=2").json()["changes"]
    fields = {one["field"]: (one["before"], one["after"]) for one in differing}
    assert fields.keys() >= {"device.make", "tools.catena"}
    assert (fields["device.make"][0]["value"], fields["device.make"][1]["value"]) == ("Maker", "M")
    refused(api.get("ana", f"{path}/changes?before=1&after=1"), 422, "same_version")
    refused(api.get("ana", f"{path}/changes?before=1&after=9"), 404, "unknown_version")
    refused(api.get("ana", f"{path}/changes?before=0&after=9"), 422, "invalid_request")

    runs = [event for event in api.events(item) if event["type"] == "metadata extraction"]
    assert [run["details"]["run"] for run in runs] == [1, 2]
    assert runs[1]["details"]["asked_by"] == principal(api, "ana").user_id
    assert runs[1]["details"]["analyser"] == "next"
    assert [run["details"]["outputs"][0]["sha256"] for run in runs] == [one["sha256"] for one in listed]
    assert_clean(api.services)


def test_the_same_analyser_says_the_same_and_draws_no_second_picture(api: Api, tmp_path: Path) -> None:
    item = deposited(api, tmp_path)
    api.work()
    assert api.post("adm", f"/items/{item}/analyses").status_code == 202
    api.work()
    listed = api.get("ana", f"/items/{item}/analyses").json()["versions"]
    assert len({one["sha256"] for one in listed}) == 1
    assert len(listed) == 2
    assert api.get("ana", f"/items/{item}/analyses/changes?before=1&after=2").json()["changes"] == []
    assert len(api.get("ana", f"/items/{item}").json()["derivatives"]) == 1
    assert_clean(api.services)
