"""Which item belongs to which, and which files a case holds already, over HTTP."""

from __future__ import annotations

import hashlib
from typing import Any

from tests.apis import Api, refused
from tests.checks import assert_clean

MOVIE, SUBTITLES = b"not much of a video", b"1\n00:00:00,000 --> 00:00:01,000\n"
BASIS = "named after the file name without its ending"


def related(to: str, **changed: object) -> dict[str, object]:
    return {"related": to, "kind": "sidecar", "basis": BASIS, **changed}


def pair(api: Api) -> tuple[str, str]:
    """A medium and its sidecar."""
    return api.deposit(MOVIE, X_Filename="a.mp4")["item"]["id"], api.deposit(SUBTITLES, X_Filename="a.srt")["item"][
        "id"
    ]


def notes(api: Api, item: str) -> list[dict[str, Any]]:
    return [event["details"] for event in api.events(item) if event["type"] == "annotation"]


def test_relation_needs_a_token_the_role_and_the_case(api: Api) -> None:
    medium, sidecar = pair(api)
    path, body = f"/items/{sidecar}/relations", related(medium)
    refused(api.post(None, path, json=body), 401, "token_required")
    for who in ("leo", "aud"):
        refused(api.post(who, path, json=body), 403, "not_allowed")
        refused(api.post(who, path, json={"nonsense": 1}), 403, "not_allowed")
    refused(api.post("outsider", path, json=body), 404, "unknown_item")
    elsewhere = api.deposit(MOVIE, who="outsider", case="T2")["item"]["id"]
    refused(api.post("ana", path, json=related(elsewhere)), 404, "unknown_item")
    assert api.get("ana", f"/items/{sidecar}").json()["relations"] == []
    assert notes(api, sidecar) == []


def test_relation_is_shown_and_recorded_with_both_items_and_names_neither(api: Api) -> None:
    medium, sidecar = pair(api)
    answer = api.post("ana", f"/items/{sidecar}/relations", json=related(medium))
    assert answer.status_code == 201
    made = answer.json()
    assert (made["item"], made["direction"], made["kind"], made["basis"]) == (medium, "belongs_to", "sidecar", BASIS)
    assert api.get("leo", f"/items/{sidecar}").json()["relations"] == [made]
    assert api.get("leo", f"/items/{medium}").json()["relations"] == [made | {"item": sidecar, "direction": "has"}]
    (of_sidecar,), (of_medium,) = notes(api, sidecar), notes(api, medium)
    assert of_sidecar.pop("rows")[0][:2] == ["item_relation", made["id"]]
    told = {"relation": made["id"], "kind": "sidecar", "basis": BASIS}
    assert (of_sidecar, of_medium) == (told | {"direction": "belongs_to"}, told | {"direction": "has"})
    again = api.post("ana", f"/items/{sidecar}/relations", json=related(medium, basis="said again"))
    assert (again.status_code, again.json()) == (200, made)
    assert len(notes(api, sidecar)) == len(notes(api, medium)) == 1
    assert_clean(api.services)


def test_relation_that_makes_no_sense_is_refused(lite: Api) -> None:
    medium, sidecar = pair(lite)
    path = f"/items/{sidecar}/relations"
    refused(lite.post("ana", path, json=related(sidecar)), 422, "related_to_itself")
    other = lite.deposit(MOVIE, who="adm", case="T2")["item"]["id"]
    refused(lite.post("adm", path, json=related(other)), 422, "related_across_cases")
    for kind in ("", "Side Car", "x" * 21, "ж"):
        refused(lite.post("ana", path, json=related(medium, kind=kind)), 422, "bad_relation_kind")
    refused(lite.post("ana", path, json=related(medium, basis=" ")), 422, "basis_required")
    refused(lite.post("ana", path, json=related(medium, basis="b" * 201)), 422, "text_too_long")
    refused(lite.post("ana", path, json=related(medium, basis="a\nb")), 422, "bad_text")
    refused(lite.post("ana", path, json=related("nonsense")), 404, "unknown_item")
    refused(lite.post("ana", path, json={"related": medium}), 422, "invalid_request")
    assert lite.get("ana", f"/items/{sidecar}").json()["relations"] == []


def offered(data: bytes, name: str = "b.mp4", **more: object) -> dict[str, object]:
    return {"sha256": hashlib.sha256(data).hexdigest(), "name": name, **more}


def test_question_for_known_files_needs_a_token_the_role_and_the_case(api: Api) -> None:
    item = api.deposit(MOVIE)["item"]["id"]
    body = {"files": [offered(MOVIE)]}
    refused(api.post(None, "/items/known?case=T1", json=body), 401, "token_required")
    for who in ("leo", "aud"):
        refused(api.post(who, "/items/known?case=T1", json=body), 403, "not_allowed")
    refused(api.post("outsider", "/items/known?case=T1", json=body), 404, "unknown_case")
    refused(api.post("ana", "/items/known?case=T9", json=body), 404, "unknown_case")
    refused(api.post("ana", "/items/known", json=body), 422, "invalid_request")
    theirs = api.post("outsider", "/items/known?case=T2", json=body).json()
    assert theirs == {
        "files": [{"state": "new", "item": None, "same_name": False}]
    }  # other cases are nobody's business
    assert notes(api, item) == []


def test_known_file_is_recorded_as_offered_again_with_its_name_and_source(api: Api) -> None:
    item = api.deposit(MOVIE, X_Filename="a.mp4")["item"]["id"]
    files = [offered(b"never seen"), offered(MOVIE, "deep/b\n.mp4", source={"collector": "Ана"})]
    asked = api.post("ana", "/items/known?case=T1", json={"files": files, "record": False})
    states = [("new", None, False), ("known", item, False)]
    assert [(one["state"], one["item"], one["same_name"]) for one in asked.json()["files"]] == states
    assert notes(api, item) == []
    assert api.post("ana", "/items/known?case=T1", json={"files": files}).json() == asked.json()
    assert notes(api, item) == [
        {
            "offered_again": {
                "original_name": "b%0A.mp4",
                "sha256": hashlib.sha256(MOVIE).hexdigest(),
                "source": {"collector": "Ана"},
            }
        }
    ]
    assert_clean(api.services)


def test_deposit_of_the_same_key_is_done_and_not_offered_again(lite: Api) -> None:
    item = lite.deposit(MOVIE, Idempotency_Key="k1")["item"]["id"]
    files = [offered(MOVIE, key="k1"), offered(b"other", key="k1"), offered(MOVIE, key="k2")]
    states = [("deposited", item), ("new", None), ("known", item)]
    answers = lite.post("ana", "/items/known?case=T1", json={"files": files}).json()["files"]
    assert [(one["state"], one["item"]) for one in answers] == states
    again = lite.post("ana", "/items/known?case=T1", json={"files": files, "again": True}).json()
    assert [one["state"] for one in again["files"]] == ["deposited", "new", "new"]
    theirs = lite.post("adm", "/items/known?case=T1", json={"files": files[:1], "record": False}).json()
    assert [(one["state"], one["item"]) for one in theirs["files"]] == [("known", item)]  # a key is its depositor's own
    assert len(notes(lite, item)) == 1


def test_oldest_item_is_named(lite: Api) -> None:
    first = lite.deposit(MOVIE)["item"]["id"]
    lite.deposit(MOVIE)
    answer = lite.post("ana", "/items/known?case=T1", json={"files": [offered(MOVIE)]}).json()
    assert answer["files"][0]["item"] == first


def test_item_of_the_same_name_is_named_before_older_ones_and_told_apart_only_if_it_is_the_only_one(lite: Api) -> None:
    def asked(name: str) -> tuple[str, bool]:
        body = {"files": [offered(MOVIE, name)], "record": False}
        (told,) = lite.post("ana", "/items/known?case=T1", json=body).json()["files"]
        return told["item"], told["same_name"]

    first, second = (lite.deposit(MOVIE, X_Filename=name)["item"]["id"] for name in ("V1.MP4", "V%0A2.MP4"))
    assert [asked("V1.MP4"), asked("V\n2.MP4"), asked("V3.MP4")] == [(first, True), (second, True), (first, False)]
    lite.deposit(MOVIE, X_Filename="V%0A2.MP4")
    assert asked("V\n2.MP4") == (second, False)


def test_question_that_makes_no_sense_is_refused_whole(lite: Api) -> None:
    item = lite.deposit(MOVIE)["item"]["id"]
    path = "/items/known?case=T1"
    bad = {"sha256": "A" * 64, "name": "a"}
    refused(lite.post("ana", path, json={"files": [offered(MOVIE), bad]}), 422, "bad_sha256")
    refused(lite.post("ana", path, json={"files": [offered(MOVIE, source={"colour": "red"})]}), 422, "bad_source")
    refused(lite.post("ana", path, json={"files": [offered(MOVIE)] * 501}), 422, "invalid_request")
    refused(lite.post("ana", path, json={"files": [offered(MOVIE, colour="red")]}), 422, "invalid_request")
    assert lite.post("ana", path, json={"files": []}).json() == {"files": []}
    assert notes(lite, item) == []


def test_question_that_is_repeated_records_its_offers_once(api: Api) -> None:
    item = api.deposit(MOVIE)["item"]["id"]
    body = {"files": [offered(MOVIE, key="k1"), offered(MOVIE, key="k2"), offered(MOVIE, key="k1")]}
    for _ in range(2):
        assert {one["item"] for one in api.post("ana", "/items/known?case=T1", json=body).json()["files"]} == {item}
    told = [one["offered_again"]["key_sha256"] for one in notes(api, item)]
    assert told == [hashlib.sha256(key).hexdigest() for key in (b"k1", b"k2")]
    api.post("adm", "/items/known?case=T1", json=body)  # another's key is another key
    assert len(notes(api, item)) == 4
    assert_clean(api.services)


def test_offer_with_a_long_source_is_recorded_with_its_longest_text_by_hash(lite: Api) -> None:
    item = lite.deposit(MOVIE)["item"]["id"]
    caption = "💥" * 20_000
    files = [offered(MOVIE, source={"caption": caption, "collector": "ana"})]
    answer = lite.post("ana", "/items/known?case=T1", json={"files": files})
    assert [(one["state"], one["item"]) for one in answer.json()["files"]] == [("known", item)]
    (told,) = (one["offered_again"] for one in notes(lite, item))
    assert told["source"] == {"collector": "ana"}
    whole = caption.encode()
    assert told["source_left_out"] == {"caption": {"sha256": hashlib.sha256(whole).hexdigest(), "size": len(whole)}}
    assert_clean(lite.services)


def test_file_whose_bytes_are_gone_is_new_and_a_repeat_of_its_deposit_puts_them_back(lite: Api) -> None:
    item = lite.deposit(MOVIE, Idempotency_Key="k1")["item"]["id"]
    blobs = lite.services.archive.blobs
    files = [offered(MOVIE, key="k1"), offered(MOVIE, key="k2")]
    with blobs.local_path(hashlib.sha256(MOVIE).hexdigest()) as path:
        path.unlink()
    answer = lite.post("ana", "/items/known?case=T1", json={"files": files}).json()
    assert [one["state"] for one in answer["files"]] == ["new", "new"]
    assert lite.deposit(MOVIE, Idempotency_Key="k1")["item"]["id"] == item
    assert path.read_bytes() == MOVIE
    answer = lite.post("ana", "/items/known?case=T1", json={"files": files}).json()
    assert [one["state"] for one in answer["files"]] == ["deposited", "known"]
    assert_clean(lite.services)
