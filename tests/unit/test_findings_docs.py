"""Every code that a finding can have is explained, and nothing is explained that no finding has."""

from __future__ import annotations

import ast
import re

import pytest

from tests.conftest import ROOT

PAGE = ROOT / "docs" / "findings.md"
MAKERS = {"Remark", "Finding", "info", "warn", "error", "_finding", "NoOpinion"}


def emitted() -> set[str]:
    """Codes that the source of the analysis gives to findings and to the remarks that become findings."""
    found: set[str] = set()
    for path in (*(ROOT / "app" / "analysis").rglob("*.py"), *(ROOT / "app" / "cli").glob("inspect*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in MAKERS:
                given = [*node.args[:1], *(word.value for word in node.keywords if word.arg == "code")]
                found |= {one.value for one in given if isinstance(one, ast.Constant) and isinstance(one.value, str)}
    return found


def sections() -> dict[str, str]:
    parts = re.split(r"^### ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    return {part.partition("\n")[0].strip(): part.partition("\n")[2] for part in parts}


def test_codes_and_sections_are_the_same() -> None:
    codes, explained = emitted(), set(sections())
    assert len(codes) > 40
    assert sorted(codes - explained) == [], "without a section in docs/findings.md"
    assert sorted(explained - codes) == [], "sections of codes that no finding has"


@pytest.mark.parametrize("code", sorted(sections()))
def test_each_section_says_what_else_explains_it_and_what_to_ask_next(code: str) -> None:
    text = sections()[code]
    assert re.fullmatch(r"[a-z][a-z0-9_]*", code)
    assert "**Also explained by**" in text
    assert "**Ask next**" in text


def test_no_finding_claims_a_proof() -> None:
    words = re.compile(r"\b(proves?|proven|forged|fake[ds]?|manipulated|tampered)\b", re.IGNORECASE)
    for path in (ROOT / "app" / "analysis").glob("rules*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        docs = {
            ast.get_docstring(node, clean=False)
            for node in ast.walk(tree)
            if isinstance(node, ast.Module | ast.FunctionDef)
        }
        texts = [
            node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
        ]
        assert [text for text in texts if text not in docs and words.search(text)] == [], path.name
