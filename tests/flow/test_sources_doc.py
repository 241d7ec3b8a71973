"""docs/sources.md: its example of a manifest is run, its terms are those of the program."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from app.intake.collections.opening import opened
from schemas.records.v1.source import Consent, Handling, LegalBasis, SourceContext
from tests.archives import close_archive, make_archive
from tests.checks import assert_clean

DOC = (Path(__file__).resolve().parents[2] / "docs" / "sources.md").read_text("utf-8")


def test_the_manifest_of_the_example_is_deposited_with_its_failed_check(tmp_path: Path) -> None:
    match = re.search(r"```csv\n(.*?)```", DOC, re.DOTALL)
    assert match is not None
    folder = tmp_path / "collection"
    (folder / "video").mkdir(parents=True)
    (folder / "list.csv").write_text(match[1], encoding="utf-8")
    for name in ("1.mp4", "2.mp4"):
        (folder / "video" / name).write_bytes(name.encode())
    services = make_archive(tmp_path)
    who = services.access.local_operator()
    case = services.evidence.create_case(who, "T1")
    with opened("manifest", folder / "list.csv") as collection:
        assert collection.problems == ()
        made = [
            services.intake.deposit_bytes(who, case, [one.path.read_bytes()], one.name, one.source, one.checks).item
            for one in collection.entries
        ]
    told = services.sources.current_of(made)[made[0].id].record
    assert (told["platform"], told["handling"]) == ("Telegram", ["do_not_publish", "minors"])
    assert [(one.kind, one.verdict) for one in services.checks.of(made[0].id)] == [("manifest_sha256", "failed")]
    assert services.checks.of(made[1].id) == []
    assert_clean(services)
    close_archive(services)


@pytest.mark.parametrize(
    ("field", "terms"),
    [("legal_basis", get_args(LegalBasis)), ("consent", get_args(Consent)), ("handling", get_args(Handling))],
)
def test_the_terms_of_the_page_are_those_of_the_program(field: str, terms: tuple[str, ...]) -> None:
    match = re.search(rf"^- `{field}`:(.*?)\.\n(?=-|\n)", DOC, re.DOTALL | re.MULTILINE)
    assert match is not None
    assert set(re.findall(r"`([a-z_]+)`", match[1])) == set(terms)


def test_every_field_is_explained() -> None:
    explained = set(re.findall(r"`([a-z_]+)`", DOC))
    assert set(SourceContext.model_fields) <= explained
