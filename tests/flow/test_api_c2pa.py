"""Content credentials of deposited items, judged under the archive's own trust list."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from app.errors import EnvironmentFailedError
from tests.apis import opened
from tests.checks import assert_clean
from tests.unit.test_metadata_c2pa import named


def test_an_item_is_judged_under_the_list_of_its_archive(tmp_path: Path, corpus: Path) -> None:
    photo = corpus / "c2pa" / "C.jpg"
    anchors = tmp_path / "anchors.pem"
    anchors.write_bytes(named(photo, "CN=Intermediate CA"))
    with opened(tmp_path, "sqlite", c2pa_trust=anchors) as api:
        item = api.deposit(photo.read_bytes())["item"]["id"]
        broken = api.deposit((corpus / "c2pa" / "XCA.jpg").read_bytes())["item"]["id"]
        api.work()
        facts = api.get("ana", f"/items/{item}/metadata").json()["c2pa"]
        assert facts["state"] == "valid_trusted"
        assert facts["trust_list"] == hashlib.sha256(anchors.read_bytes() + b"\0").hexdigest()
        assert api.get("ana", f"/items/{broken}/metadata").json()["c2pa"]["state"] == "invalid"
        assert_clean(api.services)


def test_an_archive_whose_list_is_gone_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFailedError) as caught, opened(tmp_path, "sqlite", c2pa_trust=tmp_path / "gone.pem"):
        pass
    assert caught.value.code == "trust_list_unreadable"
