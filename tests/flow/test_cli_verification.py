"""`catena entry` and `catena verification`: enter, state anew, sign off, print; and nobody signs off his own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.commands import Cli
from tests.verification_samples import place, same_truck


def test_record_is_entered_signed_off_and_printed_on_the_command_line(cli: Cli, tmp_path: Path) -> None:
    def file(document: Any) -> Path:  # noqa: ANN401 - any JSON document
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.json"
        path.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
        return path

    items = [one["id"] for one in cli.json("items", "list", "--case", "T1")["items"]]
    cli("incident", "add", "INC-1", "--case", "T1", "--title", "A first strike")
    made = cli.json(
        "verification",
        "add",
        "geolocation",
        "--case",
        "T1",
        "--id",
        "GEO-1",
        "--from",
        file(place("incident", "INC-1")),
    )
    assert (made["ref"], made["state"], made["author"]["name"]) == ("GEO-1", "proposed", "admin")
    review = ("verification", "review", "GEO-1", "--decision", "approve", "--version", "1")
    cli(*review, code=2).refused("own_work")
    cli(*review, "--as", "admin", code=2).refused("own_work")
    own = file([{"verification": "GEO-1", "decision": "approve", "version": 1}])
    cli("verification", "review-many", own, code=2).refused("own_work")
    cli("verification", "import", file([made]), "--case", "T1", "--as", "admin")
    assert cli.json("verification", "show", "GEO-1")["reviews"] == []  # an import signs nothing off
    assert cli.json("verification", "review-many", own, "--as", "lena")["verifications"][0]["state"] == "approved"
    assert "located: reached" in cli("verification", "status", "INC-1").out
    dissent = ("verification", "review", "GEO-1", "--decision", "dissent", "--version", "1", "--as", "lena")
    cli(*dissent, code=2).refused("comment_required")
    assert "disputed" in cli(*dissent, "--comment", "the tower is gone").out
    assert "lena dissents: the tower is gone" in cli("verification", "status", "INC-1").out
    anew = file(place("incident", "INC-1", reasoning="by the crossing"))
    revise = ("verification", "revise", "GEO-1", "--from", anew, "--reason", "the tower is gone", "--version", "1")
    assert "version 2, proposed" in cli(*revise).out
    cli(*revise, code=2).refused("verification_changed")
    shown = cli("verification", "show", "GEO-1").out
    assert "again today: same" in shown
    assert "lena dissents version 1 (no longer stands): the tower is gone" in shown
    cli("verification", "add", "corroboration", "--case", "T1", "--from", file(same_truck(*items[:2])))
    assert len(cli.json("verification", "list", "--about", items[0])["verifications"]) == 1
    assert "geolocation" in cli("verification", "list", "--case", "T1", "--kind", "geolocation").out
    assert cli.json("verification", "status", items[0], "--item")["level"] == "collected"
    page = tmp_path / "page.html"
    cli("verification", "print", "GEO-1", "--language", "uk", "-o", page)
    assert '<html lang="uk">' in page.read_text(encoding="utf-8")
    cli("verification", "print", "GEO-1", "-o", page, code=2).refused("file_exists")
    for wrong, code in (
        ({}, "bad_reviews"),
        ([1], "bad_reviews"),
        ([{"verification": "GEO-1"}], "bad_reviews"),
        ([], "too_many"),
    ):
        cli("verification", "review-many", file(wrong), code=2).refused(code)
    cli("verification", "import", file({}), "--case", "T1", code=2).refused("bad_verification")
    cli("verification", "show", "none", code=2).refused("unknown_verification")
    assert cli.json("audit")["ok"] is True


def test_entries_claims_and_conflicts_on_the_command_line(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "given.json"

    def file(document: Any) -> Path:  # noqa: ANN401 - any JSON document
        path.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
        return path

    said = {"speaker": "Ministry A", "text": "Only military aims.", "kind": "denial", "language": "en"}
    made = cli.json("entry", "add", "statement", "ST-1", "--case", "T1", "--from", file(said))
    assert made["standing"]["denial"] is True
    cli("entry", "add", "statement", "ST-1", "--case", "T1", "--from", path, code=2).refused("entry_exists")
    file({**said, "summary": "a denial"})
    revise = ("entry", "revise", "ST-1", "--from", path, "--reason", "summed up", "--version", "1")
    assert "version 2" in cli(*revise).out
    cli(*revise, code=2).refused("entry_changed")
    assert "version 2 by admin" in cli("entry", "show", "ST-1").out
    assert "Ministry A: Only military aims." in cli("entry", "list", "--case", "T1", "--kind", "statement").out
    cli("incident", "add", "INC-1", "--case", "T1", "--from", file({"title": "t", "casualties": {"killed": 1}}))
    body = {"title": "said anew", "casualties": {"killed": 1}}
    cli("incident", "revise", "INC-1", "--from", file(body), "--reason", "r", "--version", "1")
    claim = {"ref": "CL-1", "speaker": "S", "text": "three", "fact": "killed", "value": 3}
    assert "CL-1" in cli("incident", "claim", "INC-1", "--from", file(claim)).out
    cli("incident", "claim", "INC-1", "--from", file([]), code=2).refused("bad_claim")
    assert "killed: 1, 3; none is held: nobody has decided" in cli("verification", "conflicts", "INC-1").out
    decision = {"incident": "INC-1", "fact": "killed", "held": 3, "reasoning": "counted"}
    made = cli.json("verification", "add", "decision", "--case", "T1", "--id", "DEC-1", "--from", file(decision))
    cli("verification", "review", "DEC-1", "--decision", "approve", "--version", "1", "--as", "lena")
    assert "held: 3" in cli("verification", "conflicts", "INC-1").out
    assert cli.json("incident", "suggest", "INC-1")["conflicting_facts"] == []
