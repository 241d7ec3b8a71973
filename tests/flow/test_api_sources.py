"""What is stated of a source over HTTP: who may, which version, and who checked what."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from tests.apis import Api, refused
from tests.checks import assert_clean

FULL = {
    "url": "https://t.me/channel/17",
    "platform": "Telegram",
    "channel": "channel",
    "post_id": "17",
    "caption": "записка\n2",
    "caption_language": "uk",
    "posted_at": "2025-07-06T14:00:00+03:00",
    "collected_at": "2025-07-06T12:00:00+00:00",
    "collector": "ana",
    "collecting_machine": "lab-3",
    "tool": "auto-archiver",
    "tool_version": "1.2.9",
    "legal_basis": "public_interest",
    "legal_basis_note": "archiving",
    "consent": "not_sought",
    "consent_note": "public post",
    "handling": ["do_not_publish", "minors"],
    "handling_note": "two children are seen",
    "note": "seen by a volunteer",
}
NEW = {"source": {"note": "corrected"}, "reason": "the link was wrong", "expected_version": 1}
CHECKS = {"checks": [{"kind": "proofmode_hash", "verdict": "failed", "record": {"reason": "another file"}}]}


def test_strangers_learn_nothing_and_wrong_roles_change_nothing(lite: Api) -> None:
    item = lite.deposit(b"data")["item"]["id"]
    for method, path, body in (
        ("GET", "source", None),
        ("GET", "source/versions", None),
        ("POST", "source", NEW),
        ("POST", "checks", CHECKS),
    ):
        asked = {"json": body} if body else {}
        refused(lite.call(None, method, f"/items/{item}/{path}", **asked), 401, "token_required")
        refused(lite.call("outsider", method, f"/items/{item}/{path}", **asked), 404, "unknown_item")
        refused(lite.call("aud", method, f"/items/{item}/{path}", **asked), 403, "not_allowed")
        refused(
            lite.call("ana", method, f"/items/{'0' * 8}-0000-0000-0000-{'0' * 12}/{path}", **asked), 404, "unknown_item"
        )
    refused(lite.post("leo", f"/items/{item}/source", json=NEW), 403, "not_allowed")
    refused(lite.post("leo", f"/items/{item}/source", json={"nonsense": 1}), 403, "not_allowed")
    assert lite.get("leo", f"/items/{item}/source").json()["current"]["version"] == 1
    assert_clean(lite.services)


def test_every_field_goes_in_and_comes_out_as_it_was(lite: Api) -> None:
    percent = lite.deposit(b"one", X_Source=quote(json.dumps(FULL)))["item"]
    raw = json.dumps(FULL, ensure_ascii=False).encode()
    plain = lite.call(
        "ana", "POST", "/items?case=T1", content=b"two",
        headers={"X-Source": raw, "Content-Type": "application/octet-stream"},
    ).json()["item"]  # fmt: skip
    for shown in (percent, plain):
        assert shown["source"] == FULL
        assert (shown["source_version"], shown["source_at_deposit"]) == (1, None)
    event = lite.events(percent["id"])[0]
    assert event["details"]["source"] == FULL
    assert "source_left_out" not in event["details"]


def test_a_new_version_stands_beside_the_first_and_the_loser_of_a_race_is_told(api: Api) -> None:
    item = api.deposit(b"data", X_Source_Note="as told")["item"]["id"]
    made = api.post("ana", f"/items/{item}/source", json=NEW)
    assert made.status_code == 201, made.text
    assert (made.json()["version"], made.json()["source"]) == (2, {"note": "corrected"})
    refused(api.post("ana", f"/items/{item}/source", json=NEW), 409, "source_changed")
    refused(api.post("ana", f"/items/{item}/source", json=NEW | {"expected_version": 3}), 409, "source_changed")
    refused(api.post("ana", f"/items/{item}/source", json=NEW | {"expected_version": 2}), 422, "source_unchanged")
    shown = api.get("leo", f"/items/{item}/source").json()
    assert (shown["current"]["source"], shown["first"]["source"]) == ({"note": "corrected"}, {"note": "as told"})
    listed = api.get("leo", f"/items/{item}/source/versions").json()["versions"]
    assert [(one["version"], one["reason"]) for one in listed] == [(1, None), (2, "the link was wrong")]
    for summary in (api.get("ana", f"/items/{item}").json(), api.get("ana", "/items").json()["items"][0]):
        assert (summary["source"], summary["source_version"]) == ({"note": "corrected"}, 2)
        assert summary["source_at_deposit"] == {"note": "as told"}
    (event,) = [one for one in api.events(item) if one["type"] == "metadata modification"]
    assert event["details"]["changed"] == ["note"]
    assert event["details"]["outputs"][0]["role"] == "source version"
    assert [one["details"] for one in api.events(item) if one["type"] == "access"].count({"part": "source"}) == 2
    assert_clean(api.services)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"source": {"uri": "x"}}, "bad_source"),
        ({"source": {"handling": ["secret"]}}, "bad_source"),
        ({"source": {"consent": "given_with_conditions"}}, "bad_source"),
        ({"source": {"note": "a\u0000b"}}, "bad_source"),
        ({"source": {"note": 1.5}}, "bad_source"),
        ({"reason": " "}, "reason_required"),
        ({"reason": "x" * 2001}, "text_too_long"),
        ({"reason": "a\u001b[2J"}, "bad_text"),
    ],
)
def test_a_version_that_cannot_be_is_refused_and_nothing_is_written(
    lite: Api, body: dict[str, object], code: str
) -> None:
    item = lite.deposit(b"data")["item"]["id"]
    refused(lite.post("ana", f"/items/{item}/source", json=NEW | body), 422, code)
    assert len(lite.get("ana", f"/items/{item}/source/versions").json()["versions"]) == 1


def test_checks_of_the_depositors_machine_say_so_and_repeats_add_nothing(api: Api) -> None:
    item = api.deposit(b"data")["item"]["id"]
    refused(api.post("adm", f"/items/{item}/checks", json=CHECKS), 403, "not_the_depositor")
    for _ in range(2):
        answer = api.post("ana", f"/items/{item}/checks", json=CHECKS)
        assert answer.status_code == 201, answer.text
        (check,) = answer.json()["checks"]
    assert check["wording"] == "checked on the depositor's machine"
    assert (check["checked_by"], check["verdict"], check["details"]) == (
        "depositor",
        "failed",
        {"reason": "another file"},
    )
    shown = api.get("leo", f"/items/{item}").json()
    assert (shown["failed_checks"], shown["checks"]) == (1, [check])
    events = [one["details"] for one in api.events(item) if one["type"] == "fixity check"]
    assert [one["checked_by"] for one in events] == ["depositor"]
    assert_clean(api.services)


@pytest.mark.parametrize(
    ("check", "code"),
    [
        ({"verdict": "failed", "record": {}}, "bad_check"),
        ({"verdict": "not_checked", "record": {"reason": " "}}, "bad_check"),
        ({"kind": "Hash"}, "bad_check"),
        ({"record": {"x": 1.5}}, "bad_check"),
        ({"record": {"x": "\ud800"}}, "bad_check"),
        ({"record": {"x": "y" * 20_000}}, "bad_check"),
        ({"verdict": "good"}, "invalid_request"),
    ],
)
def test_a_check_that_cannot_be_recorded_is_refused(lite: Api, check: dict[str, object], code: str) -> None:
    item = lite.deposit(b"data")["item"]["id"]
    sound = {"kind": "hash", "verdict": "passed", "record": {}}
    answer = lite.call(
        "ana", "POST", f"/items/{item}/checks", content=json.dumps({"checks": [sound, sound | check]}),
        headers={"Content-Type": "application/json"},
    )  # fmt: skip
    assert answer.status_code in {400, 422}
    if code != "invalid_request":
        assert answer.json()["code"] == code, answer.text
    assert lite.get("ana", f"/items/{item}").json()["checks"] == []
