"""docs/patterns.md: its example is a rule, and its commands are those of the program."""

from __future__ import annotations

import json
import re
from importlib import import_module
from pathlib import Path

import click

from app.cli.__main__ import cli as program
from app.law.suggestions_rules import packaged_rules
from app.patterns.conditions import NUMBERS, TEXTS, read_rule

ROOT = Path(__file__).resolve().parents[2]
DOCS = {name: (ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("patterns.md", "suggestions.md")}


def test_example_of_a_rule_is_one() -> None:
    (example,) = re.findall(r"```json\n(.*?)```", DOCS["patterns.md"], re.DOTALL)
    rule = read_rule(json.loads(example), packaged_rules().vocabulary)
    assert rule.unit == "incident"
    for field in (*TEXTS, *NUMBERS):
        assert f"`{field}`" in DOCS["patterns.md"], field


def test_every_printed_command_is_there() -> None:
    printed = [line for text in DOCS.values() for line in re.findall(r"catena (\w+) ([\w|]+)", text)]
    assert len(printed) > 20
    with click.Context(program) as context:
        for group, names in printed:
            found = program.get_command(context, group)
            assert isinstance(found, click.Group), group
            for name in names.split("|"):
                assert name in found.commands, f"{group} {name}"


def test_released_modules_of_the_page_are_there() -> None:
    names = set(re.findall(r"`(\w+)\.py`", DOCS["patterns.md"].partition("## Code")[2]))
    assert len(names) >= 11
    for name in names:
        import_module(f"app.patterns.{name}")
