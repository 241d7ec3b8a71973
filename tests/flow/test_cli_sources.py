"""`catena items source`: versions are shown and added, and refusals say why in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.commands import Cli, at, copy_of, furnished


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_of(furnished, tmp_path_factory.mktemp("sources"))


@pytest.fixture
def cli(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    return at(folder, monkeypatch, capsys)


def an_item(cli: Cli) -> str:
    return cli.one("select id from item order by received_at limit 1")


def test_an_item_has_the_version_of_its_deposit(cli: Cli) -> None:
    shown = cli.json("items", "source", an_item(cli))
    assert shown["current"] == shown["first"]
    assert shown["current"]["source"] == {"note": "from a witness"}
    assert shown["current"]["version"] == 1


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--set", "url=https://example.org/1"], "reason_required"),
        (["--reason", "why"], "nothing_to_set"),
        (["--set", "uri=x", "--reason", "why"], "unknown_field"),
        (["--set", "url", "--reason", "why"], "bad_setting"),
        (["--set", "url=a", "--clear", "url", "--reason", "why"], "bad_setting"),
        (["--set", "url=javascript:alert(1)", "--reason", "why"], "bad_source"),
        (["--set", "note=from a witness", "--reason", "why"], "source_unchanged"),
        (["--set", "tool=x", "--reason", "why", "--expect", "7"], "source_changed"),
    ],
)
def test_what_cannot_be_stated_is_refused_in_one_line(cli: Cli, arguments: list[str], code: str) -> None:
    cli("items", "source", an_item(cli), *arguments, code=2).refused(code)


def test_a_new_version_is_shown_beside_the_first_and_the_audit_is_clean(cli: Cli) -> None:
    item = an_item(cli)
    made = cli.json(
        "items", "source", item, "--set", "url=https://example.org/1", "--set", "handling=minors,do_not_publish",
        "--clear", "note", "--reason", "the witness named the post", "--expect", "1",
    )  # fmt: skip
    assert made["current"]["version"] == 2
    assert made["current"]["source"] == {"url": "https://example.org/1", "handling": ["do_not_publish", "minors"]}
    assert made["first"]["source"] == {"note": "from a witness"}
    shown = cli.json("items", "show", item)
    assert (shown["source_version"], shown["source"]) == (2, made["current"]["source"])
    assert shown["source_at_deposit"] == {"note": "from a witness"}
    text = cli("items", "show", item).out
    assert "source (version 2, as stated):" in text
    assert "source at the deposit (version 1, no longer stated):" in text
    assert cli.json("audit")["ok"]


def test_an_unknown_item_has_no_source(cli: Cli) -> None:
    cli("items", "source", "0b0f2f6e-3f0f-4b39-8f4d-9ad3b1f7c002", code=2).refused("unknown_item")
