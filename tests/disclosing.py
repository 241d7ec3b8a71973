"""An archive from which something must not go out, and a search of its own through every byte of a bundle."""

from __future__ import annotations

import base64
import io
import json
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image

from app.access.service import Principal
from app.api.services import Services
from app.disclosure.rules import Recipient, Wishes
from app.evidence.models import Case
from app.export.models import ExportRow
from app.wiring import make_worker
from evidence_store.verify.checks import verify_bundle
from schemas.records.v1.source import SourceContext
from tests.archives import make_archive, person

COURT = Recipient("Example Court, chamber 2", "court")
COLLECTOR, CAPTION, NAME = "Оксана Collector-Secret", "Caption: «seen from the mill»", "mill-street-17.jpg"
NOTE = 'She said: "go by the river"\nand <left>'
URL = "https://example.org/secret-post/918273"


def photo(seed: int, artist: str = "") -> bytes:
    """A JPEG with its position and, maybe, an artist in EXIF."""
    picture = Image.effect_noise((64, 48), 40 + seed)
    exif = Image.Exif()
    if artist:
        exif[0x013B] = artist
    exif.get_ifd(0x8825).update({1: "N", 2: (48.0, 32.0, 35.52 + seed), 3: "E", 4: (35.0, 1.0, 2.25 + seed)})
    out = io.BytesIO()
    picture.convert("RGB").save(out, "JPEG", exif=exif)
    return out.getvalue()


class Stage:
    """An archive with three photos: one under restrictions, two that are open."""

    def __init__(self, folder: Path) -> None:
        self.services: Services = make_archive(folder)
        self.admin: Principal = self.services.access.local_operator()
        self.case: Case = self.services.evidence.create_case(self.admin, "T1")
        self.lawyer = person(self.services, "lawyer", "legal", self.case)
        self.second = person(self.services, "second", "legal", self.case)
        self.depositor = person(self.services, "depositor-of-the-photo", "investigator", self.case)
        self.first = self.put(photo(1), "open-1.jpg", SourceContext())
        told = SourceContext(
            collector=COLLECTOR, caption=CAPTION, note=NOTE, url=URL, handling=("protect_source",), consent="given"
        )
        self.hidden_data = photo(2)
        self.hidden = self.put(self.hidden_data, NAME, told)
        self.last = self.put(photo(3), "open-2.jpg", SourceContext())
        self.work()

    def work(self) -> None:
        """Let the worker finish everything."""
        make_worker(self.services).drain(wait_s=20)

    def put(self, data: bytes, name: str, source: SourceContext) -> str:
        """Deposit; returns the item's id."""
        return self.services.intake.deposit_bytes(self.depositor, self.case, [data], name, source).item.id

    def export(self, wishes: Wishes | None = None, **scope: Any) -> ExportRow:  # noqa: ANN401 - case or items
        """Export the case, or what is named, as the lawyer."""
        return self.services.exports.create(
            self.lawyer, purpose="Request 17", wishes=wishes, **(scope or {"case_ref": "T1"})
        )

    def path(self, row: ExportRow) -> Path:
        """The bundle's file."""
        return self.services.archive.settings.exports / f"{row.id}.zip"

    def bundle(self, wishes: Wishes | None = None, **scope: Any) -> Path:  # noqa: ANN401 - case or items
        """Export, and the bundle's file."""
        return self.path(self.export(wishes, **scope))


def _spellings(value: str) -> Iterator[bytes]:
    plain = value.encode()
    yield from (plain, value.encode("utf-16-le"), value.encode("utf-16-be"), plain.hex().encode())
    yield from (json.dumps(value)[1:-1].encode(), json.dumps(value, ensure_ascii=False)[1:-1].encode())
    raws = [plain]
    if re.fullmatch(r"[0-9a-f]{64}|[0-9a-f]{128}", value):
        raws.append(bytes.fromhex(value))
        yield raws[1]
    for raw in raws:
        for lead in range(3):
            yield base64.b64encode(b"\0" * lead + raw)[(0, 2, 3)[lead] : -4]


def _every_byte(bundle: Path) -> Iterator[tuple[str, bytes]]:
    """The file itself, each entry, and whatever inflates anywhere in an entry."""
    yield "the file", bundle.read_bytes()
    with zipfile.ZipFile(bundle) as opened:
        for name in opened.namelist():
            data = opened.read(name)
            yield name, data
            for found in re.finditer(rb"[\x78\x1f]", data[:200_000]):
                try:
                    yield f"{name} inflated", zlib.decompressobj(47).decompress(data[found.start() :], 1 << 20)
                except zlib.error:
                    continue


def assert_nowhere(bundle: Path, values: list[str]) -> None:
    """No form of a value stands anywhere."""
    places = list(_every_byte(bundle))
    for value in values:
        for form in _spellings(value):
            assert [place for place, data in places if form in data] == [], value


def manifest_of(bundle: Path) -> dict[str, Any]:
    """Its manifest.json."""
    with zipfile.ZipFile(bundle) as opened:
        found: dict[str, Any] = json.loads(opened.read("manifest.json"))
    return found


def entry_of(bundle: Path, item: str) -> dict[str, Any]:
    """What it says that it keeps back of an item."""
    found: dict[str, Any] = next(one for one in manifest_of(bundle)["disclosure"]["items"] if one["item"] == item)
    return found


def errors(bundle: Path) -> list[str]:
    """What the offline verifier has against it."""
    found = verify_bundle(bundle).findings
    return [f"{one.code} {one.subject} {one.detail}" for one in found if one.severity == "error"]
