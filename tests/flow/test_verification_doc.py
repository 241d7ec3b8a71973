"""docs/verification.md: its example is entered and signed off, its terms and commands are those of the program."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import get_args

import pytest

from app.verification.bodies import BODIES, Ground, Precision, TimePrecision
from app.verification.ladder import STEPS
from app.verification.rules import STATES
from tests.commands import Cli
from tests.incident_samples import body

DOC = (Path(__file__).resolve().parents[2] / "docs" / "verification.md").read_text("utf-8")


def test_example_is_entered_and_signed_off(cli: Cli, tmp_path: Path) -> None:
    match = re.search(r"```json\n(.*?)```", DOC, re.DOTALL)
    assert match is not None
    given = tmp_path / "given.json"
    given.write_text(json.dumps(body()), encoding="utf-8")
    cli("incident", "add", "INC-1", "--case", "T1", "--from", given)
    given.write_text(match[1], encoding="utf-8")
    made = cli.json("verification", "add", "geolocation", "--case", "T1", "--id", "GEO-1", "--from", given)
    assert float(made["computed"]["sun"][0]["shadow_differs_by"]) < 5
    cli("verification", "review", "GEO-1", "--decision", "approve", "--version", "1", "--as", "lena")
    assert cli.json("verification", "status", "INC-1")["level"] == "located"


def test_commands_of_the_page_are_those_of_the_program(empty_cli: Cli) -> None:
    named = set(re.findall(r"catena verification ([a-z-]+)", DOC)) - {"is"}
    told = empty_cli("verification", "--help").out
    assert named == set(re.findall(r"^  ([a-z-]+)  ", told, re.MULTILINE)) - {"-h"}


@pytest.mark.parametrize("terms", [BODIES, get_args(Precision), get_args(TimePrecision), get_args(Ground), STEPS])
def test_terms_of_the_program_are_explained(terms: tuple[str, ...]) -> None:
    explained = set(re.findall(r"`([a-z_]+)`", DOC))
    assert set(terms) <= explained


def test_states_are_explained() -> None:
    assert set(STATES) - {"proposed"} <= set(re.findall(r"`([a-z_]+)`", DOC))


def test_every_field_that_must_be_named_is_a_field() -> None:
    fields = {name for model in BODIES.values() for name in model.model_fields}
    for name in ("landmarks", "imagery", "sun", "common", "differs", "supports", "contradicts", "contradicts_search"):
        assert name in fields
        assert f"`{name}`" in DOC
