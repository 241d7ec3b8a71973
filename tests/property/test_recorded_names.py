"""File names are hostile; what is recorded of them is one readable line and never a path."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.intake.names import MAX_NAME, recorded_name


@given(st.text() | st.text(alphabet="./\\\x00\n\u202e a"))
def test_any_name_becomes_one_safe_line(given_name: str) -> None:
    name = recorded_name(given_name)
    assert 1 <= len(name) <= MAX_NAME
    assert "/" not in name
    assert "\\" not in name
    assert name not in {".", ".."}
    assert not any(unicodedata.category(c) in {"Cc", "Cs", "Cf"} for c in name)
    name.encode("utf-8")


@pytest.mark.parametrize(
    ("given_name", "recorded"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\photos\\strike.jpg", "strike.jpg"),
        ("line\nbreak.jpg", "line%0Abreak.jpg"),
        ("\u202egpj.exe", "%E2%80%AEgpj.exe"),
        ("..", "unnamed"),
        (None, "unnamed"),
        ("пожежна машина.jpg", "пожежна машина.jpg"),
    ],
)
def test_nothing_of_the_name_is_lost_but_its_folders(given_name: str | None, recorded: str) -> None:
    assert recorded_name(given_name) == recorded


def test_a_long_name_keeps_its_ending() -> None:
    name = recorded_name("x" * 400 + ".jpeg")
    assert len(name) == MAX_NAME
    assert name.endswith(".jpeg")
