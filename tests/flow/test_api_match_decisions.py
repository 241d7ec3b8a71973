"""What people decide about matches, over HTTP: who may, what stands, what comes back, what belongs together."""

from __future__ import annotations

from tests.apis import Api, refused
from tests.checks import assert_clean
from tests.flow.test_api_matches import jpeg, scene

REASON = "the same cracks in the wall"


def path(item: str, other: str) -> str:
    return f"/items/{item}/matches/{other}/decisions"


def body(decision: str, reason: str = REASON) -> dict[str, str]:
    return {"decision": decision, "reason": reason}


def copies(api: Api, seed: int) -> tuple[str, str, str]:
    """A small copy that came first, the original, and the original's half of the pixels."""
    picture = scene(seed)
    made = (jpeg(picture.resize((480, 360)), 70), jpeg(picture), jpeg(picture.resize((640, 480)), 80))
    items = tuple(api.deposit(data, X_Filename="a.jpg")["item"]["id"] for data in made)
    api.work()
    return items[0], items[1], items[2]


def others(api: Api, item: str, query: str = "") -> set[str]:
    return {match["item"] for match in api.get("leo", f"/items/{item}/matches{query}").json()["matches"]}


def test_decision_needs_a_token_the_role_the_case_and_a_match(lite: Api) -> None:
    first, second, _ = copies(lite, 11)
    stranger = lite.deposit(b"no picture")["item"]["id"]
    hidden = lite.deposit(jpeg(scene(11), 60), who="outsider", case="T2")["item"]["id"]
    lite.work()
    refused(lite.post(None, path(first, second), json=body("confirm")), 401, "token_required")
    for sent in (body("confirm"), {"nonsense": 1}):
        refused(lite.post("aud", path(first, second), json=sent), 403, "not_allowed")
        refused(lite.post("outsider", path(first, second), json=sent), 404, "unknown_item")
    refused(lite.post("ana", path(first, hidden), json=body("confirm")), 404, "unknown_item")
    refused(lite.post("ana", path(first, stranger), json=body("confirm")), 404, "unknown_match")
    refused(lite.post("ana", path(first, first), json=body("confirm")), 404, "unknown_match")
    refused(lite.post("ana", path(first, second), json=body("maybe")), 422, "bad_match_decision")
    refused(lite.post("ana", path(first, second), json=body("reject", "  ")), 422, "reason_required")
    refused(lite.post("ana", path(first, second), json=body("reject", "a\nb")), 422, "bad_text")
    refused(lite.post("ana", path(first, second), json=body("reject", "x" * 2_001)), 422, "text_too_long")
    refused(lite.post("ana", path(first, second), json={"decision": "reject"}), 422, "invalid_request")
    for asked in (path(first, second), f"/items/{first}/cluster"):
        refused(lite.get(None, asked), 401, "token_required")
        refused(lite.get("aud", asked), 403, "not_allowed")
        refused(lite.get("outsider", asked), 404, "unknown_item")
    assert lite.get("leo", path(first, second)).json()["decisions"] == []
    assert [event for event in lite.events(first) if event["type"] == "annotation"] == []


def test_newest_decision_stands_and_a_rejected_match_does_not_come_back(lite: Api) -> None:
    first, second, third = copies(lite, 12)
    assert others(lite, first) == {second, third}
    answer = lite.post("ana", path(second, first), json=body("reject", "another house"))
    assert answer.status_code == 201
    assert (answer.json()["decision"], answer.json()["number"]) == ("reject", 1)
    assert others(lite, first) == {third}
    assert others(lite, second) == {third}
    assert others(lite, first, "?rejected=true") == {second, third}
    lite.post("leo", path(first, second), json=body("same_scene"))
    (match,) = [m for m in lite.get("ana", f"/items/{first}/matches").json()["matches"] if m["item"] == second]
    assert (match["decision"]["decision"], match["decision"]["reason"]) == ("same_scene", REASON)
    made = lite.get("ana", path(first, second)).json()["decisions"]
    assert [(one["number"], one["decision"]) for one in made] == [(1, "reject"), (2, "same_scene")]
    assert len({one["by"] for one in made}) == 2
    for item, other in ((first, second), (second, first)):
        told = [event["details"] for event in lite.events(item) if event["type"] == "annotation"]
        assert [details["decision"] for details in told] == ["reject", "same_scene"]
        assert all(other not in str(details) for details in told)
    assert_clean(lite.services)


def test_confirmed_matches_make_a_cluster_with_its_earliest_and_its_best_copy(lite: Api) -> None:
    small, large, middle = copies(lite, 13)
    alone = lite.get("leo", f"/items/{small}/cluster").json()
    assert ([one["item"] for one in alone["members"]], alone["earliest"], alone["best"]) == ([small], small, small)
    lite.post("ana", path(small, large), json=body("confirm"))
    lite.post("ana", path(middle, large), json=body("confirm"))
    lite.post("ana", path(small, middle), json=body("same_scene"))
    for asked in (small, large, middle):
        found = lite.get("leo", f"/items/{asked}/cluster").json()
        assert [one["item"] for one in found["members"]] == [small, large, middle]
        assert (found["earliest"], found["best"]) == (small, large)
    assert found["members"][1]["pixels"] == 960 * 720
    lite.post("leo", path(small, large), json=body("reject"))
    assert [one["item"] for one in lite.get("leo", f"/items/{small}/cluster").json()["members"]] == [small]
    assert_clean(lite.services)


def test_a_cluster_does_not_lead_through_an_item_of_another_case(lite: Api) -> None:
    first, second, _ = copies(lite, 14)
    hidden = lite.deposit(jpeg(scene(14), 60), who="outsider", case="T2")["item"]["id"]
    lite.work()
    for item in (first, second):
        assert lite.post("adm", path(item, hidden), json=body("confirm")).status_code == 201
    everything = lite.get("adm", f"/items/{first}/cluster").json()["members"]
    assert {one["item"] for one in everything} == {first, second, hidden}
    mine = lite.get("leo", f"/items/{first}/cluster").json()["members"]
    assert [one["item"] for one in mine] == [first]
