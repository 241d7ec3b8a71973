"""Assessment on the command line: both sides entered, four eyes over them, and the matrix in each form."""

from __future__ import annotations

import json
from pathlib import Path

from tests.assessing import LOSS, E, P
from tests.commands import CASE, Cli
from tests.incident_samples import REF, document

WHY = ("--weight", "direct", "--reasoning", "Seen in the picture.")
SEARCH = ("--what", "use", "--where", "all", "--when", "2026-08-20", "--by", "Lena")


def dossier(cli: Cli, tmp_path: Path) -> str:
    """The sample dossier is imported; an item of the case."""
    path = tmp_path / "dossier.json"
    path.write_text(json.dumps(document()), encoding="utf-8")
    cli("incident", "import", path, "--case", CASE)
    return str(cli.json("items", "list", "--case", CASE)["items"][0]["id"])


def test_an_incident_is_assessed_and_its_author_cannot_approve_it_from_a_shell(cli: Cli, tmp_path: Path) -> None:
    item = dossier(cli, tmp_path)
    link = ("incident", "link", REF, P, E, "--item", item, "--segment", "10,10,50,40", "--direction", "supports", *WHY)
    made = cli.json(*link)
    against = cli.json(
        "incident", "link", REF, P, E, "--statement", "ST-DENIAL", "--direction", "contradicts", *WHY, "--case", CASE
    )
    cli("incident", "review", made["entry"], "--decision", "approve", code=2).refused("own_work")
    both = cli("incident", "review", made["entry"], against["entry"], "--decision", "approve", code=1)
    assert both.out.count("own_work") == 2
    lena = ("--as", "lena")
    told = cli("incident", "review", made["entry"], against["entry"], "--decision", "approve", *lena)
    assert told.out.count("approve recorded") == 2
    assert "it waits for a second person" in cli("incident", "state", REF, P, E, "contested", *WHY[2:]).out
    assess = ("incident", "assess", REF, P, "reasonable_basis", "--reasoning", "Enough to inquire.")
    cli(*assess, code=2).refused("panel_unanswered")
    cli("incident", "panel", REF, P, "contradicting", "--none-found", *SEARCH, code=2).refused("panel_not_empty")
    cli("incident", "panel", REF, P, "contradicting", "--text", "The denial names no facts.")
    cli("incident", "panel", REF, P, "loss_of_protection", "--none-found", code=2).refused("search_required")
    cli("incident", "panel", REF, P, "loss_of_protection", "--none-found", *SEARCH)
    cli("incident", "assess", REF, P, "beyond reasonable doubt", "--reasoning", "x", code=2).refused("court_only")
    assessed = cli.json(*assess, "--not-reached")
    cli("incident", "review", assessed["entry"], "--decision", "approve", code=2).refused("own_work")
    assert cli.json("incident", "review", assessed["entry"], "--decision", "approve", *lena)["seal_base64"]

    text = cli("incident", "matrix", REF, "--provision", P).out
    assert all(one in text for one in ("supports (direct, approved): item", "contradicts (direct, approved)", "denial"))
    shown = cli.json("incident", "matrix", REF, "--case", CASE)
    assert shown["provisions"][0]["assessments"][0]["review"] == "approved"
    page, table = tmp_path / "matrix.html", tmp_path / "matrix.csv"
    cli("incident", "matrix", REF, "--html", "-o", page)
    cli("incident", "matrix", REF, "--csv", "-o", table)
    assert all("Only military aims." in path.read_text(encoding="utf-8") for path in (page, table))
    assert cli("incident", "matrix", REF, "--csv").out.startswith("row,incident,provision")
    cli("incident", "matrix", REF, "--csv", "-o", table, code=2).refused("file_exists")
    cli("incident", "matrix", REF, "--csv", "--html", code=2).refused("bad_usage")
    cli("audit")


def test_links_are_changed_and_withdrawn_by_their_author_only(cli: Cli, tmp_path: Path) -> None:
    item = dossier(cli, tmp_path)
    new = ("--item", item, "--direction", "neutral", *WHY)
    made = cli.json("incident", "link", REF, P, LOSS, *new)
    cli("incident", "relink", made["thread"], *new, "--reason", "x", "--as", "lena", code=2).refused("not_own_entry")
    cli("incident", "withdraw", made["thread"], "--reason", "x", "--as", "lena", code=2).refused("not_own_entry")
    assert cli.json("incident", "relink", made["thread"], *new, "--reason", "clearer")["number"] == 2
    assert cli.json("incident", "withdraw", made["thread"], "--reason", "not that day")["review"] == "withdrawn"
    cli("incident", "withdraw", "no-such", "--reason", "x", code=2).refused("unknown_entry")
    cli("incident", "link", REF, P, E, "--direction", "neutral", *WHY, code=2).refused("bad_usage")
    cli("incident", "link", REF, P, E, *new, "--claim", "C", code=2).refused("bad_usage")
    cli("audit")
