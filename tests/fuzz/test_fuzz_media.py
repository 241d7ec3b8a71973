"""A small part of `python -m tests.fuzz.media`: mutated photos and blocks are answered or refused, in time."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.fuzz.media import Parser, fault, mutated, parsers

COUNT = 20
NAMES = (
    "file png", "file webp", "file tiff", "file heif", "file jpeg", "file cr3", "exif and makers", "xmp", "iptc",
    "photoshop", "icc", "quantisation", "gopro", "flir", "multi-picture index",
)  # fmt: skip


@pytest.fixture(scope="module")
def every(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Parser]:
    return parsers(tmp_path_factory.mktemp("seeds"))


@pytest.mark.parametrize("name", NAMES)
def test_mutations_are_answered_or_refused_with_a_code(every: dict[str, Parser], name: str) -> None:
    chance = random.Random(f"ci {name}")  # noqa: S311 (nothing secret)
    for number in range(COUNT):
        data = mutated(chance, every[name].seeds)
        assert fault(every[name], data) is None, (number, data[:400])


def test_every_parser_takes_its_own_samples_and_is_run(every: dict[str, Parser], tmp_path: Path) -> None:
    assert set(every) == set(NAMES)
    for parser in every.values():
        for seed in parser.seeds:
            assert fault(parser, seed) is None
    broken = Parser(lambda data: tmp_path / str(1 // len(data)), [b""])
    assert "ZeroDivisionError" in str(fault(broken, b""))
