"""Disclosures over HTTP: the anonymous caller, the wrong role, the wrong case; then what they are for."""

from __future__ import annotations

import csv
import io
import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from evidence_store.bundle.withheld import parse_opening_file
from evidence_store.verify.checks import verify_bundle
from tests.apis import Api, refused
from tests.assessing import LOSS, Desk
from tests.checks import assert_clean
from tests.disclosing import photo
from tests.incident_samples import REF
from tests.recordings import record
from tests.unit.test_envelope import certificate
from tests.verification_samples import place

COURT = {"name": "Example Court", "kind": "court"}
NOBODY = "00000000-0000-4000-8000-000000000000"
WHO = {"recipient": COURT, "purpose": "Order 7"}


def source(**stated: object) -> dict[str, str]:
    return {"X_Source": json.dumps(stated)}


def restricted(api: Api) -> str:
    """A photo that must not tell its source, and one that is open."""
    item: str = api.deposit(photo(1), X_Filename="mill.jpg", **source(collector="Secret Name", handling=["minors"]))[
        "item"
    ]["id"]
    api.deposit(photo(2), X_Filename="open.jpg")
    return item


def export(api: Api, **disclosure: object) -> Any:  # noqa: ANN401 - an answer
    return api.post("leo", "/exports", json={"case": "T1", "purpose": "Request 17", "disclosure": disclosure})


def test_who_may_not_export_learns_nothing_of_disclosures(lite: Api) -> None:
    item = lite.deposit(photo(1))["item"]["id"]
    made = lite.post("leo", "/exports", json={"case": "T1"}).json()["id"]
    redaction = lite.post("ana", f"/items/{item}/redactions", json={"reason": "x"})
    assert redaction.status_code == 201, redaction.text
    copy = redaction.json()["id"]
    calls: list[tuple[str, str, Any, str | None, str | None]] = [
        ("GET", "/disclosures", None, "not_allowed", None),
        ("GET", f"/disclosures?item={item}", None, "not_allowed", "unknown_item"),
        ("GET", "/disclosures?case=T1", None, "not_allowed", "unknown_case"),
        ("GET", "/disclosures.csv", None, "not_allowed", None),
        ("GET", f"/disclosures/{made}", None, "not_allowed", "unknown_disclosure"),
        ("POST", "/exports/preview", {"case": "T1"}, "not_allowed", "unknown_case"),
        ("POST", f"/exports/{made}/openings", WHO, "not_allowed", "unknown_export"),
        ("POST", f"/exports/{made}/encrypted", {"certificates": ["x"]}, "not_allowed", None),
        ("POST", f"/items/{item}/redactions", {"reason": "x"}, None, "unknown_item"),
        ("GET", f"/items/{item}/redactions", None, None, "unknown_item"),
        ("GET", f"/redactions/{copy}/file", None, None, "unknown_redaction"),
        ("POST", f"/redactions/{copy}/review", {"decision": "approve"}, "not_allowed", "unknown_redaction"),
    ]
    for method, path, body, role, case in calls:
        refused(lite.call(None, method, path, json=body), 401, "token_required")
        if role is not None:
            refused(lite.call("ana", method, path, json=body), 403, role)
        if case is not None:
            refused(lite.call("outlaw", method, path, json=body), 404, case)
    assert lite.call("aud", "GET", f"/redactions/{copy}/file").status_code in {403, 404}


def test_a_restricted_item_is_refused_weighed_withheld_and_opened(api: Api, tmp_path: Path) -> None:
    item = restricted(api)
    api.work()
    body = refused(api.post("leo", "/exports", json={"case": "T1"}), 409, "restricted_items")
    assert "handling minors" in body["detail"]
    weighed = api.post("leo", "/exports/preview", json={"case": "T1", "disclosure": {"recipient": COURT}}).json()
    assert weighed["refused"] is None
    assert [(one["item"], one["parts"]) for one in weighed["marked"]] == [(item, ["original"])]
    assert "restricted_items" in api.post("leo", "/exports/preview", json={"case": "T1"}).json()["refused"]
    answer = export(api, recipient=COURT)
    assert answer.status_code == 201, answer.text
    made = answer.json()["id"]
    bundle = tmp_path / "bundle.zip"
    bundle.write_bytes(api.get("leo", f"/exports/{made}/bundle").content)
    refused(api.post("leo", f"/exports/{made}/openings", json=WHO), 409, "restricted_items")
    opened = api.post("leo", f"/exports/{made}/openings", json={**WHO, "release": "The parents agreed"})
    assert opened.status_code == 201, opened.text
    report = verify_bundle(bundle, openings=parse_opening_file(opened.content))
    assert report.ok, report.as_text()
    line = api.get("leo", opened.headers["location"].removeprefix("/api/v1")).json()
    assert (line["kind"], line["recipient"], line["purpose"]) == ("opening", COURT, "Order 7")
    listed = api.get("leo", f"/disclosures?item={item}").json()["disclosures"]
    assert [one["kind"] for one in listed] == ["opening", "bundle"]
    table = list(csv.DictReader(io.StringIO(api.get("leo", "/disclosures.csv?case=T1").text)))
    assert [one["recipient"] for one in table] == ["Example Court", "Example Court"]
    events = [one for one in api.events(item) if one["type"] == "dissemination"]
    assert [one["details"]["disclosed"] for one in events] == ["partly withheld", "opened"]


def test_bad_wishes_are_refused_with_a_code(lite: Api) -> None:
    item = restricted(lite)
    for disclosure, status, code in (
        ({"recipient": {"name": " ", "kind": "court"}}, 422, "bad_recipient"),
        ({"recipient": {"name": "a\nb", "kind": "court"}}, 422, "bad_recipient"),
        ({"recipient": {"name": "a", "kind": "friend"}}, 422, "bad_recipient"),
        ({"recipient": COURT, "withhold": [{"item": item, "parts": ["half"]}]}, 422, "bad_part"),
        ({"withhold": [{"item": item}]}, 422, "recipient_required"),
        ({"recipient": COURT, "withhold": [{"item": NOBODY}]}, 422, "not_in_the_export"),
        ({"recipient": COURT, "withhold": [{"item": "x"}]}, 404, "unknown_item"),
        ({"recipient": COURT, "release": [{"item": item, "reason": " "}]}, 422, "reason_required"),
        ({"recipient": COURT, "restricted": "refuse"}, 409, "restricted_items"),
        ({"recipient": COURT, "restricted": "ignore"}, 422, "invalid_request"),
        ({"recipient": COURT, "acknowledge": "a\x07"}, 422, "bad_text"),
    ):
        refused(export(lite, **disclosure), status, code)
    refused(lite.post("leo", f"/exports/{NOBODY}/openings", json=WHO), 404, "unknown_export")
    refused(lite.get("leo", f"/disclosures/{NOBODY}"), 404, "unknown_disclosure")
    released = export(lite, recipient=COURT, release=[{"item": item, "reason": "The parents agreed."}])
    assert released.status_code == 201
    (line,) = lite.get("leo", "/disclosures").json()["disclosures"]
    assert line["marked"][0]["released"] == "The parents agreed."


def test_a_bundle_is_encrypted_to_a_recipient_and_openssl_reads_it(lite: Api, tmp_path: Path) -> None:
    lite.deposit(b"data")
    made = lite.post("leo", "/exports", json={"case": "T1"}).json()["id"]
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    old, pem = (certificate(key, at).public_bytes(Encoding.PEM).decode() for at in (now - timedelta(days=9), now))
    path = f"/exports/{made}/encrypted"
    for bad in ("nonsense", old):
        refused(lite.post("leo", path, json={"certificates": [bad]}), 422, "recipient_unfit")
    answer = lite.post("leo", path, json={"certificates": [pem]})
    assert answer.status_code == 200, answer.text
    (tmp_path / "in.p7m").write_bytes(answer.content)
    (tmp_path / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    command = ["openssl", "cms", "-decrypt", "-inform", "DER", "-in", "in.p7m", "-inkey", "key.pem", "-out", "b.zip"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / "b.zip").read_bytes() == lite.get("leo", f"/exports/{made}/bundle").content


def test_a_copy_of_a_recording_is_made_by_a_worker_where_nobody_wants_to_wait(lite: Api, tmp_path: Path) -> None:
    film = record(tmp_path / "a.mkv", [number / 10 for number in range(20)])
    item = lite.deposit(film.read_bytes(), X_Filename="a.mkv")["item"]["id"]
    lite.work()
    later, path = {"Prefer": "respond-async"}, f"/items/{item}/redactions"
    for who, status in ((None, 401), ("aud", 403), ("outsider", 404)):
        assert lite.call(who, "POST", path, json={"reason": "x"}, headers=later).status_code == status
    answer = lite.post("ana", path, json={"reason": "Faces"}, headers=later)
    assert (answer.status_code, answer.headers["Preference-Applied"]) == (202, "respond-async")
    job = answer.json()
    assert answer.headers["Location"] == f"/api/v1/jobs/{job['id']}"
    assert (job["kind"], job["state"], job["item"]) == ("redaction", "ready", item)
    lite.work()
    assert lite.get("ana", f"/jobs/{job['id']}").json()["state"] == "done"
    (copy,) = lite.get("ana", path).json()["redactions"]
    assert (copy["reason"], copy["media_type"], copy["state"]) == ("Faces", "video/mp4", "proposed")


def test_a_redacted_copy_is_made_looked_at_and_approved(lite: Api) -> None:
    item = lite.deposit(photo(1))["item"]["id"]
    made = lite.post("ana", f"/items/{item}/redactions", json={"regions": [[0, 0, 9, 9]], "reason": "a face"}).json()
    assert (made["state"], made["width"], made["height"]) == ("proposed", 64, 48)
    picture = lite.get("ana", f"/redactions/{made['id']}/file")
    assert picture.content.startswith(b"\xff\xd8\xff")
    refused(lite.post("leo", f"/redactions/{made['id']}/review", json={"decision": "maybe"}), 422, "bad_decision")
    done = lite.post("leo", f"/redactions/{made['id']}/review", json={"decision": "approve"}).json()
    assert done["state"] == "approved"
    assert lite.get("liz", f"/items/{item}/redactions").json()["redactions"] == [done]
    for body, code in (({"regions": [[1, 2, 3]], "reason": "x"}, "bad_region"), ({"reason": " "}, "reason_required")):
        refused(lite.post("ana", f"/items/{item}/redactions", json=body), 422, code)


def test_links_to_elements_that_speak_against_are_not_left_out_in_silence(lite: Api) -> None:
    desk = Desk.of(lite)
    open_item = lite.deposit(photo(2), X_Filename="open.jpg")["item"]["id"]
    desk.link(direction="supports")
    desk.link(direction="neutral")
    against = desk.link(direction="contradicts", reasoning="It shows a barracks.")["entry"]
    lost = desk.link(element=LOSS, direction="supports", reasoning="A gun was towed.")["entry"]
    gone = desk.link(direction="contradicts", reasoning="Seen twice.")
    taken_back = lite.post("ana", f"/assessment-entries/{gone['entry']}/withdrawal", json={"reason": "A mistake."})
    assert taken_back.status_code in {200, 201}, taken_back.text
    lite.work()

    def told(**scope: object) -> set[str]:
        answer = lite.post("leo", "/exports/preview", json={**scope, "disclosure": {"recipient": COURT}})
        assert answer.status_code == 200, answer.text
        return {one["id"] for one in answer.json()["left_out"] if one["kind"] == "contradicting element link"}

    # the whole case has the incident with its matrix, so nothing is left out; everything smaller leaves it out
    assert told(case="T1") == told(incident=REF) == set()
    assert told(items=[open_item]) == told(case="T1", incidents="none") == {against, lost}
    # a bundle that withholds has the dossier, too, but not what the item says that it withholds
    assert export(lite, recipient=COURT, withhold=[{"item": open_item}]).status_code == 201
    withheld = {"recipient": COURT, "withhold": [{"item": desk.item}]}
    body = refused(export(lite, **withheld), 409, "exculpatory_left_out")
    assert against in body["detail"]
    assert lost in body["detail"]
    made = export(lite, **withheld, acknowledge="Disclosed before.")
    assert made.status_code == 201, made.text
    (line,) = [one for one in lite.get("leo", "/disclosures?case=T1").json()["disclosures"] if one["left_out"]]
    assert {against, lost} <= {one["id"] for one in line["left_out"]}
    assert_clean(lite.services)


def test_what_people_found_against_is_not_left_out_in_silence(lite: Api) -> None:
    desk = Desk.of(lite)
    desk.link(direction="supports")
    found = {
        "contested or contradicted element": desk.state(state="contradicted")["entry"],
        "answer to a panel": desk.panel("contradicting", answer="answered", text="Two witnesses say it was a depot.")[
            "entry"
        ],
    }
    desk.panel("loss_of_protection")
    found["assessment: not reached"] = desk.assess(outcome="not_reached")["entry"]
    lite.work()

    def told(**scope: object) -> dict[str, str]:
        answer = lite.post("leo", "/exports/preview", json={**scope, "disclosure": {"recipient": COURT}})
        return {one["kind"]: one["id"] for one in answer.json()["left_out"] if one["kind"] in found}

    assert told(case="T1") == {}
    assert told(items=[desk.item]) == found
    answer = lite.post("leo", "/exports", json={"items": [desk.item], "disclosure": {"recipient": COURT}})
    assert found["assessment: not reached"] in refused(answer, 409, "exculpatory_left_out")["detail"]


def test_dissent_on_a_verification_is_not_left_out_in_silence(lite: Api) -> None:
    shown, other = (lite.deposit(photo(number))["item"]["id"] for number in (1, 2))
    sent = {"kind": "geolocation", "ref": "GEO", "body": place("item", shown)}
    made = lite.post("ana", "/verifications?case=T1", json=sent).json()["id"]
    lite.work()
    withheld = {"recipient": COURT, "withhold": [{"item": other}]}
    assert export(lite, **withheld).status_code == 201
    review = {"decision": "dissent", "version": 1, "comment": "The tower is another one."}
    answer = lite.post("leo", f"/verifications/{made}/reviews", json=review)
    assert answer.status_code == 201, answer.text
    assert "dissent on a verification" in refused(export(lite, **withheld), 409, "exculpatory_left_out")["detail"]
    assert export(lite, **withheld, acknowledge="Disclosed before.").status_code == 201
    assert export(lite, recipient=COURT).status_code == 201, "it is in a bundle that withholds nothing"
    assert_clean(lite.services)
