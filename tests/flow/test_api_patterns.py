"""Counts under a rule and frozen releases over HTTP: who may not, what is counted, what stays the same for ever."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from app.patterns import counting, releases
from tests.apis import Api, opened, refused
from tests.archives import events_of
from tests.checks import assert_clean, audit, errors_of
from tests.incident_samples import REF, body, document

RULE: dict[str, Any] = {
    "title": "Attacks on fire engines",
    "unit": "incident",
    "period": {"from": "2025-07-01", "to": "2025-08-31"},
    "where": {"field": "target", "op": "mentions", "value": ["fire engine"]},
}
RULES, RELEASES = "/patterns/rules?case=T1", "/releases?case=T1"


def furnished(api: Api) -> None:
    """INC-A on 6 July; INC-B of August without a target; INC-C on a day of July or August; INC-D: a bridge in May."""
    assert api.post("ana", "/incidents/import?case=T1", json=document()).status_code == 200
    for ref, changed in (
        ("INC-C", {"date": {"earliest": "2025-07-30", "latest": "2025-08-02"}}),
        ("INC-D", {"date": {"value": "2025-05-03"}, "sequence": [{"n": 1, "target": "bridge", "method": "bomb"}]}),
    ):
        assert api.post("ana", "/incidents?case=T1", json={"ref": ref, "body": body(**changed)}).status_code == 201
    assert api.post("ana", RULES, json={"ref": "engines", "body": RULE}).status_code == 201


def frozen(api: Api, ref: str = "R1") -> dict[str, Any]:
    answer = api.post("leo", RELEASES, json={"ref": ref, "rule": "engines"})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """An archive with a rule and a release in T1 that no test changes."""
    with opened(tmp_path_factory.mktemp("patterns"), "sqlite") as api:
        furnished(api)
        frozen(api)
        yield api


READERS, WRITERS, EXPORTERS = {"ana", "leo", "adm"}, {"ana", "leo", "adm"}, {"leo", "adm"}


@pytest.mark.parametrize(
    ("method", "path", "sent", "allowed"),
    [
        ("POST", RULES, {"ref": "r-{who}", "body": RULE}, WRITERS),
        ("GET", RULES, None, READERS),
        ("GET", "/patterns/counts?case=T1&rule=engines", None, READERS),
        ("POST", RELEASES, {"ref": "f-{who}", "rule": "engines"}, EXPORTERS),
        ("GET", RELEASES, None, READERS),
        ("GET", "/releases/R1?case=T1", None, READERS),
        ("GET", "/releases/R1/statement.json?case=T1", None, READERS),
        ("GET", "/releases/R1/statement.p7s?case=T1", None, READERS),
        ("GET", "/releases/R1/verification?case=T1", None, READERS),
        ("GET", "/releases/R1/differences?case=T1", None, READERS),
    ],
)
def test_who_may_count_and_freeze(scene: Api, method: str, path: str, sent: Any, allowed: set[str]) -> None:  # noqa: ANN401 - any JSON
    refused(scene.call(None, method, path, json=sent), 401, "token_required")
    for who in ("ana", "leo", "aud", "adm"):
        given = None if sent is None else {**sent, "ref": sent["ref"].replace("{who}", who)}
        answer = scene.call(who, method, path, json=given)
        if who in allowed:
            assert answer.status_code in {200, 201}, answer.text
        else:
            refused(answer, 403, "not_allowed")
    refused(scene.call("outlaw", method, path, json=sent), 404, "unknown_case")
    if sent is not None:
        refused(scene.call("aud", method, path, content=b"{"), 403, "not_allowed")


def test_what_is_unknown_is_counted_as_unknown_and_listed(lite: Api) -> None:
    furnished(lite)
    told = lite.get("ana", "/patterns/counts?case=T1&rule=engines").json()
    numbers = told["numbers"]
    assert (numbers["included"], numbers["unknown"], numbers["excluded"], numbers["at_most"]) == (2, 1, 1, 3)
    verdicts = {one["ref"]: one["verdict"] for one in told["members"]}
    assert verdicts == {REF: "included", "INC-B": "unknown", "INC-C": "included", "INC-D": "excluded"}
    assert numbers["undecided"] == [{"unit": "INC-B", "open": ["target mentions fire engine"]}]
    months = numbers["by"]["month"]
    # INC-C lies in July or in August: it counts in neither, and could be in either; INC-B, if it is one, is of August
    assert months["rows"] == [
        {"key": "2025-07", "count": 1, "at_most": 2},
        {"key": "2025-08", "count": 0, "at_most": 2},
    ]
    assert months["uncertain"] == [{"unit": "INC-C", "possible": ["2025-07", "2025-08"]}]
    assert {row["key"] for row in numbers["by"]["target"]["rows"]} == {"petrol station", "fire engine"}
    assert numbers["by"]["target"]["several_keys"] is True
    assert "violat" not in str(told)


def test_counts_of_others_stand_beside_and_are_neither_merged_nor_expanded(lite: Api) -> None:
    furnished(lite)
    told = lite.get("leo", "/patterns/counts?case=T1&rule=engines").json()
    first, second = told["published_by_others"]
    assert (first["ref"], first["value"], first["expanded"], first["includes"]) == ("AGG-1", 16, False, [REF])
    assert (second["ref"], second["value"]) == ("AGG-2", None)
    assert told["numbers"]["included"] == 2
    assert len(told["members"]) == 4
    assert len(lite.get("leo", "/incidents?case=T1").json()["incidents"]) == 4


def test_strikes_are_counted_each_where_the_rule_says_so(lite: Api) -> None:
    furnished(lite)
    lite.post("ana", RULES, json={"ref": "strikes", "body": {**RULE, "unit": "strike"}})
    told = lite.get("leo", "/patterns/counts?case=T1&rule=strikes").json()["numbers"]
    # the second strikes of INC-A and INC-C are; their first ones and the bridge are not; INC-B lists no strikes
    assert (told["included"], told["unknown"], told["excluded"]) == (2, 1, 3)
    assert {row["unit"] for row in told["by"]["month"]["uncertain"]} == {"INC-C #2"}


def test_rule_is_kept_in_versions_and_a_count_names_its_own(api: Api) -> None:
    furnished(api)
    narrower = {**RULE, "period": {"from": "2025-08-01"}}
    again = {"ref": "engines", "body": narrower}
    refused(api.post("leo", RULES, json=again), 409, "pattern_rule_exists")
    refused(api.post("leo", RULES, json={**again, "reason": " "}), 422, "reason_required")
    refused(api.post("leo", RULES, json={"ref": "engines", "body": RULE, "reason": "x"}), 422, "pattern_rule_unchanged")
    made = api.post("leo", RULES, json={**again, "reason": "August only"}).json()
    assert (made["number"], made["reason"]) == (2, "August only")
    first = api.get("ana", "/patterns/counts?case=T1&rule=engines@1").json()
    assert (first["rule"]["number"], first["numbers"]["included"]) == (1, 2)
    assert api.get("ana", "/patterns/counts?case=T1&rule=engines").json()["rule"]["number"] == 2
    assert [one["number"] for one in api.get("ana", RULES).json()["rules"]] == [1, 2]
    events = events_of(api.services, f"pattern:{made['rule']}")
    assert [one.type for one in events] == ["annotation", "metadata modification"]
    for name in ("engines@3", "engines@x", "none", "engines@01", "%00"):
        refused(api.get("ana", f"/patterns/counts?case=T1&rule={name}"), 404, "unknown_pattern_rule")
    assert_clean(api.services)


@pytest.mark.parametrize(
    "wrong",
    [
        {"title": "all of it"},
        {**RULE, "colour": 1},
        {**RULE, "title": ""},
        {**RULE, "unit": "person"},
        {**RULE, "period": {"from": "July"}},
        {**RULE, "period": {"from": "2025-08-01", "to": "2025-07-01"}},
        {**RULE, "where": {"field": "target", "op": "mentions", "value": []}},
        {**RULE, "where": {"field": "target", "op": "mentions", "value": ["!!"]}},
        {**RULE, "where": {"field": "colour", "op": "is", "value": ["red"]}},
        {**RULE, "where": {"fact": "colour", "op": "eq", "value": 1}},
        {**RULE, "where": {"fact": "killed", "op": "eq", "value": "many"}},
        {**RULE, "where": {"all": []}},
        {**RULE, "where": {"any": [{"not": 3}]}},
        {**RULE, "where": {"all": [{"field": "killed", "op": "gt", "value": 0}] * 201}},
    ],
)
def test_rule_that_makes_no_sense_is_refused_whole(scene: Api, wrong: dict[str, Any]) -> None:
    refused(scene.post("ana", RULES, json={"ref": "wrong", "body": wrong}), 422, "bad_pattern_rule")
    refused(scene.get("ana", "/patterns/counts?case=T1&rule=wrong"), 404, "unknown_pattern_rule")


def test_frozen_release_recomputes_byte_for_byte_after_later_edits(api: Api) -> None:
    furnished(api)
    claim = {"ref": "CL-1", "speaker": "Service A", "text": "An engine.", "fact": "killed", "value": 1}
    assert api.post("ana", f"/incidents/{REF}/claims", json=claim).status_code == 201
    made = frozen(api)
    assert (made["numbers"]["included"], len(made["members"]), len(made["aggregates"])) == (2, 4, 2)
    sealed = api.get("leo", "/releases/R1/statement.json?case=T1").content
    assert hashlib.sha256(sealed).hexdigest() == made["sha256"]
    assert api.get("leo", "/releases/R1/differences?case=T1").json()["same"] is True

    moved = {"body": body(date={"value": "2025-09-06"}), "reason": "the service's report gives September", "version": 1}
    assert api.post("leo", f"/incidents/{REF}/versions", json=moved).status_code == 201
    retold = {"body": body(title="said anew", date={"value": "2025-07-31"}), "reason": "the day", "version": 1}
    assert api.post("leo", "/incidents/INC-C/versions", json=retold).status_code == 201
    assert api.post("ana", "/incidents?case=T1", json={"ref": "INC-E", "body": body()}).status_code == 201
    again = {"ref": "engines", "body": {**RULE, "period": {"from": "2020-01-01"}}, "reason": "wider"}
    assert api.post("leo", RULES, json=again).status_code == 201
    assert api.post("ana", "/incidents/INC-D/claims", json={**claim, "ref": "CL-2"}).status_code == 201

    assert api.get("leo", "/releases/R1/statement.json?case=T1").content == sealed
    done = api.get("ana", "/releases/R1/verification?case=T1").json()
    assert (done["ok"], done["identical"], done["members"], done["findings"]) == (True, True, 4, [])
    report = api.get("ana", "/releases/R1/differences?case=T1").json()
    assert report["same"] is False
    assert report["rule"] == {"ref": "engines", "number": 1, "newest": 2}
    (changed,), (added,), (gone,), (other,) = (report[kind] for kind in ("changed", "added", "gone", "others"))
    assert (changed["incident"], added["incident"], gone["incident"]) == ("INC-C", "INC-E", REF)
    assert "the day" in changed["why"][0]
    assert added["why"][0] == "it was entered after the release"
    assert "the service's report gives September" in gone["why"][0]
    assert gone["why"][-1] == "under the release's rule it is excluded: period 2025-07-01/2025-08-31"
    assert (other["incident"], other["why"][0][:13]) == ("INC-D", "claim CL-2 by")
    assert report["numbers"]["included"] == {"then": 2, "now": 2}
    assert {"by": "month", "key": "2025-07", "then": 1, "now": 2} in report["numbers"]["changed"]
    assert_clean(api.services)


@pytest.mark.parametrize(("method", "ref", "verdict"), [(2, "INC-O", "included"), (3, "INC-W", "excluded")])
def test_release_that_an_earlier_method_counted_recomputes_byte_for_byte_beside_todays_count(
    api: Api, method: int, ref: str, verdict: str
) -> None:
    """Method 2 took "not before 6 July" for 6 July, method 3 "невідомо" for a target. What they froze stays."""
    furnished(api)
    in_words = body(sequence=[{"n": 1, "target": "невідомо"}])
    assert api.post("ana", "/incidents?case=T1", json={"ref": "INC-W", "body": in_words}).status_code == 201
    open_end = body(date={"earliest": "2025-07-06"}, sequence=[{"n": 1, "target": "fire engine"}])
    assert api.post("ana", "/incidents?case=T1", json={"ref": "INC-O", "body": open_end}).status_code == 201
    with (
        mock.patch.object(releases, "METHOD", method),
        mock.patch.object(releases, "count", partial(counting.count, method=method)),
    ):
        old = frozen(api)
    new = frozen(api, "R2")
    assert (old["method"], new["method"]) == (method, counting.METHOD)
    verdicts = [{one["ref"]: one["verdict"] for one in made["members"]}[ref] for made in (old, new)]
    assert verdicts == [verdict, "unknown"]
    for name in ("R1", "R2"):
        done = api.get("leo", f"/releases/{name}/verification?case=T1").json()
        assert (done["ok"], done["identical"], done["findings"]) == (True, True, [])
    assert_clean(api.services)


def test_difference_report_names_counts_of_others_that_were_restated_since(lite: Api) -> None:
    furnished(lite)
    frozen(lite)
    (first,) = [one for one in lite.get("ana", "/entries?kind=aggregate").json()["entries"] if one["ref"] == "AGG-1"]
    anew = {"body": {**first["body"], "value": 61}, "reason": "misprint", "version": 1}
    assert lite.post("ana", f"/entries/{first['id']}/versions", json=anew).status_code == 201
    new = {"kind": "aggregate", "ref": "AGG-3", "body": {"claim": "82 since January"}}
    assert lite.post("ana", "/entries?case=T1", json=new).status_code == 201
    report = lite.get("ana", "/releases/R1/differences?case=T1").json()
    assert report["same"] is False
    assert not any(report[kind] for kind in ("changed", "added", "gone", "others"))
    restated, entered = report["aggregates"]
    assert (restated["aggregate"], restated["then"], restated["now"]) == ("AGG-1", 1, 2)
    assert "misprint" in restated["why"][0]
    assert (entered["aggregate"], entered["why"]) == ("AGG-3", ["it was entered after the release"])
    assert lite.get("ana", "/releases/R1/verification?case=T1").json()["identical"] is True
    assert_clean(lite.services)


def test_release_is_never_changed_and_its_name_is_given_once(lite: Api) -> None:
    furnished(lite)
    frozen(lite)
    refused(lite.post("adm", RELEASES, json={"ref": "R1", "rule": "engines"}), 409, "release_exists")
    refused(lite.post("adm", RELEASES, json={"ref": "R2", "rule": "none"}), 404, "unknown_pattern_rule")
    refused(lite.post("adm", RELEASES, json={"ref": " R2", "rule": "engines"}), 422, "bad_incident_ref")
    for method in ("PUT", "PATCH", "DELETE"):
        refused(lite.call("adm", method, "/releases/R1?case=T1"), 405, "method_not_allowed")
    for name in ("R9", "%00"):
        refused(lite.get("leo", f"/releases/{name}?case=T1"), 404, "unknown_release")
    assert [one["ref"] for one in lite.get("leo", RELEASES).json()["releases"]] == ["R1"]


def test_seal_of_a_release_is_verified_by_openssl(lite: Api, tmp_path: Path) -> None:
    furnished(lite)
    frozen(lite)
    (tmp_path / "release.json").write_bytes(lite.get("leo", "/releases/R1/statement.json?case=T1").content)
    (tmp_path / "release.json.p7s").write_bytes(lite.get("leo", "/releases/R1/statement.p7s?case=T1").content)
    authority = str(lite.services.archive.settings.keys / "ca.crt")
    command = ["openssl", "cms", "-verify", "-binary", "-inform", "DER", "-in", "release.json.p7s", "-content"]
    checked = subprocess.run(
        [*command, "release.json", "-CAfile", authority, "-purpose", "any", "-out", "out.json"],
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr
    assert (tmp_path / "out.json").read_bytes() == (tmp_path / "release.json").read_bytes()


@pytest.mark.parametrize(
    ("edit", "code", "row"),
    [
        ("UPDATE frozen_release SET statement = CAST(replace(statement, '\"included\":2', '\"included\":82') AS BLOB)",
         "release_seal_invalid", "frozen_release"),
        ("UPDATE incident_version SET record = CAST(replace(record, 'fire engine', 'fire truck') AS BLOB)",
         "member_gone", "incident_version"),
        ("UPDATE pattern_rule SET record = CAST(replace(record, 'fire engine', 'petrol station') AS BLOB)",
         "release_differs", "pattern_rule"),
    ],
)  # fmt: skip
def test_edit_behind_the_logs_back_is_found_by_counting_again(lite: Api, edit: str, code: str, row: str) -> None:
    furnished(lite)
    frozen(lite)
    with lite.services.archive.db.engine.begin() as connection:
        connection.exec_driver_sql(edit)
    done = lite.get("leo", "/releases/R1/verification?case=T1").json()
    assert done["ok"] is False
    assert code in {one["code"] for one in done["findings"]}
    assert ("row_altered", row) in {(found, subject.split()[0]) for found, subject in errors_of(audit(lite.services))}


def test_time_stamps_of_a_release_are_told_to_its_readers_and_to_every_auditor(lite: Api) -> None:
    furnished(lite)
    made = frozen(lite)
    assert (made["program"]["name"], made["timestamps"]) == ("catena", [])
    path, token = (f"/timestamps{part}?subject=release:{made['release']}" for part in ("", "/token"))
    refused(lite.get(None, path), 401, "token_required")
    refused(lite.get("outlaw", path), 404, "unknown_release")
    refused(lite.get("outsider", path), 404, "unknown_release")
    refused(lite.get("outsider", f"{token}&tsa=first"), 404, "unknown_release")
    refused(lite.get(None, f"{token}&tsa=first"), 401, "token_required")
    refused(lite.get("aud", "/releases/R1?case=T1"), 403, "not_allowed")  # proofs, and nothing that was counted
    assert lite.get("aud", path).json() == {"subject": f"release:{made['release']}", "timestamps": []}
    refused(lite.get("aud", f"{token}&tsa=first"), 404, "unknown_timestamp")
    refused(lite.get("aud", f"/timestamps?subject=release:{made['release'][::-1]}"), 404, "unknown_release")
    refused(lite.get("leo", f"/timestamps?subject=release:{made['release'][::-1]}"), 404, "unknown_release")
    refused(lite.get("leo", "/timestamps?subject=release:R1"), 404, "unknown_subject")
    assert lite.get("ana", path).json()["timestamps"] == []
    assert_clean(lite.services)


def test_names_of_persons_stand_in_no_table(lite: Api) -> None:
    told = body(place={"city": "House of Sample Person"}, date={"value": "2025-07-03"})
    assert lite.post("ana", "/incidents?case=T1", json={"ref": "INC-N", "body": told}).status_code == 201
    rule = {"title": "all", "unit": "incident", "period": {"from": "2025-01-01", "to": "2025-12-31"}}
    assert lite.post("ana", RULES, json={"ref": "all", "body": rule}).status_code == 201
    for path in ("/patterns/counts?case=T1&rule=all", "/patterns/page.html?case=T1&rule=all"):
        answer = lite.get("ana", path)
        assert answer.status_code == 200
        assert "House of" in answer.text
        assert "Sample Person" not in answer.text
