"""Provisions, links and the second person's review over HTTP."""

from __future__ import annotations

from typing import Any

from tests.apis import Api, refused

LINK = {"provision": "ap1-art62", "direction": "supports", "rationale": "A marked fire engine is hit."}


def link_of(api: Api, item: str, who: str = "ana", **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    answer = api.post(who, f"/items/{item}/links", json=LINK | changes)
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body


def test_the_catalogue_is_read_page_by_page_and_says_it_is_a_draft(lite: Api) -> None:
    seen: list[str] = []
    cursor = ""
    while True:
        page = lite.get("ana", f"/provisions?limit=40{cursor}").json()
        seen += [provision["id"] for provision in page["provisions"]]
        assert all(provision["status"].startswith("draft") for provision in page["provisions"])
        if page["cursor"] is None:
            break
        cursor = f"&cursor={page['cursor']}"
    assert len(seen) == len(set(seen)) == 110


def test_a_provision_is_found_by_words_and_shown_with_its_confidence(lite: Api) -> None:
    found = lite.get("aud", "/provisions?q=AP1 art 62").json()["provisions"]
    assert "ap1-art62" in [provision["id"] for provision in found]
    shown = lite.get("aud", "/provisions/ap1-art62").json()
    assert shown["elements"]
    assert shown["confidence"] in {"verified", "computed", "from_memory"}
    assert shown["catalogue_version"] == 1
    assert lite.get("aud", "/provisions?q=zzzzzz").json()["provisions"] == []
    refused(lite.get("aud", "/provisions/none"), 404, "unknown_provision")
    refused(lite.get("aud", "/provisions/ap1-art62?version=9"), 404, "unknown_catalogue_version")


def test_a_link_needs_a_second_person_to_be_approved(api: Api) -> None:
    item = api.deposit(b"data")["item"]["id"]
    link = link_of(api, item, who="leo")
    assert (link["state"], link["reviews"]) == ("proposed", [])
    path = f"/links/{link['id']}/review"
    refused(api.post("leo", path, json={"decision": "approve"}), 403, "own_work")
    refused(api.post("ana", path, json={"decision": "approve"}), 403, "not_allowed")
    answer = api.post("liz", path, json={"decision": "approve", "comment": "Seen."})
    assert answer.status_code == 201
    assert answer.json()["number"] == 1
    shown = api.get("ana", f"/links/{link['id']}").json()
    assert shown["state"] == "approved"
    assert [review["comment"] for review in shown["reviews"]] == ["Seen."]
    types = [event["type"] for event in api.events(item)]
    assert types.count("link") == 1
    assert types.count("review") == 1


def test_links_for_and_against_stand_side_by_side(api: Api) -> None:
    item = api.deposit(b"data")["item"]["id"]
    first = link_of(api, item)
    second = link_of(api, item, who="leo", direction="contradicts", rationale="No marking is visible.")
    api.post("liz", f"/links/{second['id']}/review", json={"decision": "reject", "comment": "It is visible."})
    shown = api.get("leo", f"/items/{item}/links").json()
    assert [(link["id"], link["direction"], link["state"]) for link in shown["links"]] == [
        (first["id"], "supports", "proposed"),
        (second["id"], "contradicts", "rejected"),
    ]
    assert shown["links"][0]["reviews"] == []


def test_bad_links_and_reviews_are_refused_with_a_code(lite: Api) -> None:
    item = lite.deposit(b"data")["item"]["id"]
    path = f"/items/{item}/links"
    cases: list[tuple[dict[str, Any], int, str]] = [
        ({"provision": "none"}, 404, "unknown_provision"),
        ({"element": "none"}, 404, "unknown_element"),
        ({"direction": "proves"}, 422, "bad_direction"),
        ({"rationale": "  "}, 422, "rationale_required"),
        ({"rationale": "r" * 8_001}, 422, "text_too_long"),
        ({"rationale": "a\x00b"}, 422, "bad_text"),
        ({"rationale": None}, 422, "invalid_request"),
    ]
    for changes, status, code in cases:
        refused(lite.post("ana", path, json=LINK | changes), status, code)
    assert lite.get("ana", path).json()["links"] == []
    link = link_of(lite, item)
    review = f"/links/{link['id']}/review"
    refused(lite.post("leo", review, json={"decision": "perhaps"}), 422, "bad_decision")
    refused(lite.post("leo", review, json={"decision": "reject"}), 422, "comment_required")
    refused(lite.post("leo", "/links/none/review", json={"decision": "approve"}), 404, "unknown_link")
