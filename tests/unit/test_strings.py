"""Both languages have every word, and what is asked for is what is spoken."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from app import strings
from app.assessment import printed, rules
from app.assessment.groups import GROUPS
from app.assessment.ledger import ReviewState
from app.law.suggestions_applicability import Bound
from app.law.suggestions_rules import STRENGTHS
from app.patterns.labels import LABELS
from app.strings import DEFAULT, LANGUAGES, known, message, messages, preferred
from app.verification import page
from app.verification.bodies import BODIES
from app.verification.ladder import STEPS
from app.verification.rules import STATES, VERDICTS
from schemas.records.v1.provision import DRAFT_MARK
from schemas.records.v1.review import Decision

CYRILLIC = re.compile("[\u0400-\u04ff]")


def test_every_language_has_each_key_and_no_empty_word() -> None:
    wanted = messages(DEFAULT).keys()
    for language in LANGUAGES:
        assert messages(language).keys() == wanted, language
        assert all(text.strip() for text in messages(language).values())
    assert {path.stem for path in Path(strings.__file__).parent.glob("*.json")} == set(get_args(strings.Language))


def test_ukrainian_is_ukrainian_and_english_is_english() -> None:
    assert [key for key, text in messages("uk").items() if not CYRILLIC.search(text)] == []
    assert [key for key, text in messages("en").items() if CYRILLIC.search(text)] == []


def test_every_word_that_pages_use_is_in_the_catalogue() -> None:
    used = set(
        re.findall(r"\"((?:print|word)\.[a-z_0-9]+)\"|'((?:print|word)\.[a-z_0-9]+)'", Path(page.__file__).read_text())
    )
    keys = {one or other for one, other in used}
    keys |= {f"kind.{kind}" for kind in BODIES} | {f"state.{state}" for state in STATES}
    keys |= {f"step.{step}" for step in STEPS} | {f"verdict.{verdict}" for verdict in VERDICTS}
    assert len(keys) > 30
    assert sorted(key for key in keys if not known(key)) == []


def test_every_word_of_the_printed_matrix_and_of_counts_is_in_the_catalogue() -> None:
    used = set(re.findall(r"[\"']((?:matrix|standard|word)\.[a-z_]+)[\"']", Path(printed.__file__).read_text()))
    used |= {f"standard.{level}" for level in rules.STANDARDS} | {f"group.{group}" for group in GROUPS}
    used |= {
        f"matrix.{way}" for way in ("neutral", "excluded", "withdrawn", "counter_questions", "exculpatory_to_seek")
    }
    words: set[str] = {
        *rules.DIRECTIONS,
        *rules.WEIGHTS,
        *rules.STATES,
        *rules.PANELS,
        *rules.ANSWERS,
        *rules.STANDARDS,
    }
    words |= {*rules.OUTCOMES, *get_args(rules.Side), *get_args(rules.PanelStanding), *get_args(ReviewState), *GROUPS}
    words |= {
        *get_args(Decision),
        *get_args(Bound),
        *STRENGTHS,
        "people_differ",
        "not_stated",
        "reviewed",
        "iac",
        "both",
    }
    assert len(used) > 60
    assert sorted(key for key in used | {f"code.{word}" for word in words} if not known(key)) == []
    for words_of in LABELS.values():
        assert words_of.keys() == LABELS["en"].keys() >= {"months", "map", "wording"}


def test_what_messages_leave_open_is_the_same_in_every_language() -> None:
    for key, text in messages("en").items():
        assert set(re.findall(r"\{\w+\}", messages("uk")[key])) == set(re.findall(r"\{\w+\}", text)), key
    assert message("draft") == DRAFT_MARK


def test_no_message_says_that_the_law_was_broken() -> None:
    assert message("print.no_verdict").endswith("does not say that a rule of law was broken.")
    for key, text in messages("en").items():
        assert not re.search(r"violat|guilty|war crime", text), key


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, "en"),
        ("", "en"),
        ("uk", "uk"),
        ("uk-UA,uk;q=0.9,en;q=0.8", "uk"),
        ("en-GB,uk;q=0.9", "en"),
        ("uk;q=0.2,en;q=0.8", "en"),
        ("ru, uk;q=0.5", "uk"),
        ("uk;q=0", "en"),
        ("uk;q=nan, fr", "en"),
        ("uk;q=9", "en"),
        (";;,=;q", "en"),
        ("x" * 100_000 + ",uk", "en"),
    ],
)
def test_language_is_the_one_that_was_asked_for(header: str | None, language: str) -> None:
    assert preferred(header) == language
