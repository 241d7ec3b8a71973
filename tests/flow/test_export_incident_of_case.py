"""Two cases have an incident of one name: the case beside it says which one leaves, and gives no right by that."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.apis import CASE, OTHER_CASE, Api, opened, refused
from tests.commands import Cli
from tests.incident_samples import REF, body

BOTH = {"case": CASE, "incident": REF}


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with opened(tmp_path_factory.mktemp("of-case"), "sqlite") as made:
        for who, case in (("ana", CASE), ("outsider", OTHER_CASE)):
            item = made.deposit(b"a photo in " + case.encode(), who=who, case=case)["item"]["id"]
            answer = made.post(who, f"/incidents?case={case}", json={"ref": REF, "body": body(statements=[])})
            assert answer.status_code == 201, answer.text
            claim = {"ref": "CL-1", "speaker": "S", "text": "t", "rests_on": [{"kind": "item", "ref": item}]}
            answer = made.post(who, f"/incidents/{answer.json()['id']}/claims", json=claim)
            assert answer.status_code == 201, answer.text
        yield made


def test_who_may_not_have_an_incident_of_a_case(api: Api) -> None:
    refused(api.post(None, "/exports", json=BOTH), 401, "token_required")
    refused(api.post("ana", "/exports", json=BOTH), 403, "not_allowed")
    refused(api.post("aud", "/exports", json=BOTH), 403, "not_allowed")
    refused(api.post("outlaw", "/exports", json=BOTH), 404, "unknown_case")
    refused(api.post("leo", "/exports", json={**BOTH, "case": OTHER_CASE}), 404, "unknown_case")
    refused(api.post("leo", "/exports", json={**BOTH, "case": "T9"}), 404, "unknown_case")
    refused(api.post("leo", "/exports", json={**BOTH, "incident": "INC-NONE"}), 404, "unknown_incident")


def test_case_beside_an_incident_says_which_one_and_an_incident_of_another_case_is_none_of_it(api: Api) -> None:
    refused(api.post("adm", "/exports", json={"incident": REF}), 409, "ambiguous_incident")
    ids = {}
    for case in (CASE, OTHER_CASE):
        answer = api.post("adm", "/exports", json={"case": case, "incident": REF})
        assert answer.status_code == 201, answer.text
        scope = answer.json()["scope"]
        assert [scope["case_id"]] == answer.json()["cases"]
        ids[case] = scope["incident_id"]
    assert len(set(ids.values())) == 2
    wrong = {"case": OTHER_CASE, "incident": ids[CASE]}
    refused(api.post("adm", "/exports", json=wrong), 404, "unknown_incident")


def test_command_takes_an_incident_of_a_case(cli: Cli, tmp_path: Path) -> None:
    for case in (CASE, "T7"):
        photo = tmp_path / f"{case}.jpg"
        photo.write_bytes(b"\xff\xd8\xff a photo in " + case.encode())
        item = cli.json("ingest", photo, "--case", case)["items"][0]["id"]
        seen = {"id": "OB-1", "item": item, "seen": "a truck", "incident": REF}
        given = tmp_path / f"{case}.json"
        given.write_text(json.dumps({"incidents": [{"id": REF, "title": "t"}], "observations": [seen]}))
        cli("incident", "import", given, "--case", case)
    out = tmp_path / "out.zip"
    cli("export", "--incident", REF, "-o", out, code=None).refused("ambiguous_incident")
    cli("export", "--incident", REF, "--case", "T9", "-o", out, code=None).refused("unknown_case")
    cli("export", "--incident", REF, "--case", CASE, "--item", item, "-o", out, code=None).refused("bad_scope")
    cli("export", "--incident", REF, "--case", "T7", "-o", out)
    with ZipFile(out) as bundle:
        assert item in "".join(bundle.namelist())
