"""A case with something of everything that a bundle can hold, and another one of which nothing may leave with it."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass
from typing import Any

from schemas.records.v1.source import SourceContext
from tests.apis import Api
from tests.flow.test_api_matches import jpeg, scene
from tests.flow.test_api_tracks import recording
from tests.incident_samples import REF, body, document
from tests.media_samples import exif_bytes, gps, ratio

FORMULA = '=HYPERLINK("x")\u2028"þ\x14®",\n.jpg'
SECRET = "a word of another case"
PERSON = "Sample Person"

COURT: dict[str, object] = {
    "recipient": {"name": "A court", "kind": "court"},
    "acknowledge": "The court asked for no more.",
}
"""For whom exports are made: the case holds what may not be published."""


@dataclass(frozen=True)
class RichCase:
    """The case T1 and what stands in it.

    Attributes:
        placed: a photo that states where and when it was taken; the incident names it.
        copy: a smaller one of the same picture, confirmed to be that.
        other: a third one, of which a person has rejected it.
        drive: a recording with a track; a claim about the incident rests on it.
        plain: a file that nothing can be read from, with a name that is hard on every format.
        hidden: an item of the case T2 that shows the same picture; the incident of T1 names it, too.
    """

    api: Api
    placed: str
    copy: str
    other: str
    drive: str
    plain: str
    hidden: str

    def export(self, **asked: object) -> tuple[dict[str, Any], bytes]:
        """An export and its bundle's bytes."""
        answer = self.api.post("leo", "/exports", json={"purpose": "Request 12", "disclosure": COURT, **asked})
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made, self.api.get("leo", f"/exports/{made['id']}/bundle").content


def files_of(data: bytes) -> dict[str, bytes]:
    """The files of a bundle."""
    with zipfile.ZipFile(io.BytesIO(data)) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def placed_photo(quality: int = 92) -> bytes:
    """A picture that states 48.5 N 37.25 E and half past ten on 6 July 2025, at +03:00."""
    place = gps((48, 30, 0), "N", (37, 15, ratio(0)), "E")
    exif = exif_bytes({271: "Maker", 272: "Model"}, {36867: "2025:07:06 10:30:00", 36881: "+03:00"}, place)
    target = io.BytesIO()
    scene(71).save(target, "JPEG", quality=quality, exif=exif)
    return target.getvalue()


def rich_case(api: Api) -> RichCase:
    """Make it."""
    picture = scene(71)
    placed = _deposit(api, placed_photo(), "фото 1.jpg")
    copy = _deposit(api, jpeg(picture.resize((640, 480)), 80), "copy.jpg")
    other = _deposit(api, jpeg(picture.resize((480, 360)), 70), "other.jpg")
    drive = _deposit(api, recording(), "GX010001.MP4")
    plain = _deposit(api, b"\x00 nothing to be read", FORMULA)
    hidden = api.deposit(jpeg(picture, 60), who="outsider", case="T2", X_Filename=f"{SECRET}.jpg")["item"]["id"]
    api.work()
    for one, decision in ((copy, "reject"), (copy, "confirm"), (other, "reject")):
        sent = {"decision": decision, "reason": f"looked at: {decision}"}
        answer = api.post("ana", f"/items/{placed}/matches/{one}/decisions", json=sent)
        assert answer.status_code == 201, answer.text
    for item, direction in ((placed, "supports"), (placed, "contradicts"), (copy, "neutral")):
        sent = {"provision": "ap1-art62", "direction": direction, "rationale": f"it {direction}"}
        answer = api.post("ana", f"/items/{item}/links", json=sent)
        assert answer.status_code == 201, answer.text
    _incidents(api, placed, drive, hidden)
    return RichCase(api, placed, copy, other, drive, plain, hidden)


def _deposit(api: Api, data: bytes, name: str) -> str:
    who = api.services.access.local_operator("ana")
    case = api.services.evidence.find_case(who, "T1")
    stated = SourceContext(url="https://example.org/post", collector="@SUM(1)", handling=("do_not_publish",))
    return api.services.intake.deposit_bytes(who, case, [data], name, stated).item.id


def _incidents(api: Api, named: str, observed: str, hidden: str) -> None:
    given = document()
    place = {**body()["place"], "lat": "48.5", "lon": "37.25", "uncertainty_m": 2000, "method": "middle of the town"}
    given["incidents"][0] |= {"items": [named, hidden], "place": place}
    given["incidents"][1] |= {"place": {"text": "somewhere", "lat": "48.1", "lon": "37.1"}}
    answer = api.post("ana", "/incidents/import?case=T1", json=given)
    assert answer.status_code == 200, answer.text
    for claim in (
        {"speaker": "Service A", "text": "The vehicle was hit.", "ref": "C-1"},
        {
            "kind": "observation",
            "speaker": "ana",
            "text": "No crew is to be seen.",
            "ref": "C-2",
            "rests_on": [{"kind": "item", "ref": observed, "segment": "1-2"}],
        },
    ):
        answer = api.post("ana", f"/incidents/{REF}/claims", json=claim)
        assert answer.status_code == 201, answer.text
    answer = api.post("outsider", "/incidents?case=T2", json={"ref": "INC-T2", "body": body(title=SECRET)})
    assert answer.status_code == 201, answer.text


def manifest_of(files: dict[str, bytes]) -> dict[str, Any]:
    """The manifest of a bundle."""
    made: dict[str, Any] = json.loads(files["manifest.json"])
    return made
