"""The short list of a large archive finds what comparing everything would find."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from app.matching import bands
from app.matching import known as known_module
from tests.archives import close_archive, deposit, make_archive
from tests.checks import assert_clean, work_off
from tests.matching_media import scene


def jpeg(seed: int, quality: int, *, mirrored: bool = False) -> bytes:
    stream = io.BytesIO()
    picture = scene(seed)
    Image.fromarray(picture[:, ::-1] if mirrored else picture).save(stream, "JPEG", quality=quality)
    return stream.getvalue()


def test_a_recompressed_and_mirrored_copy_is_on_the_short_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_module, "COMPARE_ALL_UP_TO", 0)
    monkeypatch.setattr(bands, "UNFILED", 0)
    services = make_archive(tmp_path)
    who = services.access.local_operator()
    case = services.evidence.create_case(who, "T1")
    strangers = [deposit(services, who, case, jpeg(seed, 90)).item.id for seed in range(1, 5)]
    original = deposit(services, who, case, jpeg(0, 90)).item.id
    copy = deposit(services, who, case, jpeg(0, 50, mirrored=True)).item.id
    work_off(services)
    assert [(match.item, match.verdict) for match in services.matching.matches_of(who, copy)] == [
        (original, "same_content")
    ]
    assert [match.item for match in services.matching.matches_of(who, original)] == [copy]
    assert all(services.matching.matches_of(who, stranger) == [] for stranger in strangers)
    assert_clean(services)
    close_archive(services)
