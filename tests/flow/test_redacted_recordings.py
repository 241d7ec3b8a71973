"""Redacted copies of recordings: what was hidden can be seen nowhere, at no time, and nothing else goes along."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, cast
from unittest import mock

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from app.disclosure.redact_video import MARGIN, MARGIN_MS
from app.disclosure.rules import Wishes
from app.errors import CatenaError
from app.jobs.models import Job
from app.jobs.service import LeaseLostError
from evidence_store.verify.checks import verify_bundle
from schemas.records.v1.source import SourceContext
from tests.archives import events_of
from tests.checks import work_off, work_off_at_once
from tests.disclosing import COURT, Stage, errors
from tests.recordings import record

SIZE = (1920, 1080)
NOTE = "Filmed by Olena Example at 46.6401 N"
TIMES = [tenth / 10 for tenth in range(40)]


def bright(
    path: Path, *, rotation: int | None = None, size: tuple[int, int] = SIZE, times: Sequence[float] = TIMES
) -> Path:
    """White pictures with a tone, a title and a moment where somebody's face would be: everywhere."""
    with av.open(str(path), "w", options={"movflags": "use_metadata_tags"}) as target:
        target.metadata["title"] = target.metadata["location"] = NOTE
        video = target.add_stream("libx264", rate=10, options={"preset": "ultrafast"})
        video.width, video.height, video.pix_fmt = *size, "yuv420p"
        if rotation is not None:
            video.set_display_rotation(rotation)
        voice = target.add_stream("aac", rate=48_000, layout="mono")
        for at_s in times:
            frame = av.VideoFrame.from_ndarray(np.full((size[1], size[0]), 230, np.uint8), format="gray")
            frame = frame.reformat(format="yuv420p")
            frame.pts, frame.time_base = round(at_s * 10), Fraction(1, 10)
            target.mux(video.encode(frame))
        target.mux(video.encode(None))
        for at in range(0, 48_000 * 4, 1024):
            sound = av.AudioFrame.from_ndarray(np.full((1, 1024), 0.4, np.float32), format="fltp", layout="mono")
            sound.sample_rate, sound.pts, sound.time_base = 48_000, at, Fraction(1, 48_000)
            target.mux(voice.encode(sound))
        target.mux(voice.encode(None))
    return path


def pictures(data: bytes, path: Path) -> dict[float, NDArray[np.uint8]]:
    path.write_bytes(data)
    with av.open(str(path)) as source:
        assert not source.streams.audio
        assert len(source.streams) == 1
        assert NOTE not in str(source.metadata)
        frames = list(source.decode(video=0))
        return {round(frame.time, 3): np.asarray(frame.to_ndarray(format="gray"), np.uint8) for frame in frames}


def put(stage: Stage, path: Path) -> str:
    item = stage.put(path.read_bytes(), path.name, SourceContext())
    work_off(stage.services)
    return item


def made(stage: Stage, path: Path, *regions: tuple[int, ...]) -> tuple[Any, bytes]:
    item = put(stage, path)
    view = stage.services.redactions.redact(stage.lawyer, item, regions, "fill", "Faces")
    with stage.services.archive.blobs.open(view.row.sha256) as stream:
        return view, stream.read()


def test_region_is_black_in_every_frame_and_a_cut_only_in_its_time(stage: Stage, tmp_path: Path) -> None:
    box, cut = (600, 300, 300, 210), (0, 0, *SIZE, 1500, 2500)
    view, data = made(stage, bright(tmp_path / "a.mp4"), box, cut)
    assert (view.made.media_type, view.made.width, view.made.height) == ("video/mp4", 1280, 720)
    seen = pictures(data, tmp_path / "copy.mp4")
    assert list(seen) == TIMES
    for at, plane in seen.items():
        left, top, right, bottom = 400, 200, 600, 340
        assert plane[top:bottom, left:right].max() <= 40, at
        beside = [plane[: top - 3 * MARGIN], plane[:, right + 3 * MARGIN :]]
        within = 1500 - MARGIN_MS <= 1000 * at <= 2500 + MARGIN_MS
        if within:
            assert plane.max() <= 40, at
        elif not 1300 <= 1000 * at <= 2700:
            assert all(part.min() >= 180 for part in beside), at
    assert NOTE.encode() not in data


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4"])
@pytest.mark.parametrize(("begins", "ends", "black"), [(1000, 1500, [0]), (1000, 3000, [0, 2]), (6500, 9000, [6])])
def test_frame_that_stands_for_seconds_is_hidden_when_any_of_them_is(
    stage: Stage, tmp_path: Path, name: str, begins: int, ends: int, black: list[int]
) -> None:
    path = bright(tmp_path / name, size=(320, 240), times=[0, 2, 4, 6])
    _, data = made(stage, path, (0, 0, 320, 240, begins, ends))
    seen = {round(at): plane for at, plane in pictures(data, tmp_path / "copy.mp4").items()}
    assert list(seen) == [0, 2, 4, 6]
    for at, plane in seen.items():
        assert plane.max() <= 40 if at in black else plane.min() >= 180, at


def test_turned_recording_is_hidden_where_a_viewer_sees_it(stage: Stage, tmp_path: Path) -> None:
    path = bright(tmp_path / "a.mp4", rotation=90, size=(320, 240))
    view, data = made(stage, path, (0, 0, 240, 100))
    assert (view.made.width, view.made.height) == (240, 320)
    for plane in pictures(data, tmp_path / "copy.mp4").values():
        assert plane[:100].max() <= 40
        assert plane[120:].min() >= 180


def test_frame_of_another_size_shows_nothing(stage: Stage, tmp_path: Path) -> None:
    parts = [record(tmp_path / f"{size[0]}.ts", [0.1, 0.2, 0.3], size=size) for size in ((320, 240), (400, 240))]
    joined = tmp_path / "joined.ts"
    with av.open(str(joined), "w", format="mpegts") as target:
        out = None
        for number, part in enumerate(parts):
            with av.open(str(part)) as source:
                out = out or target.add_stream_from_template(source.streams.video[0])
                for packet in source.demux(video=0):
                    if packet.dts is not None:
                        packet.pts = int(packet.pts or 0) + number * 90_000
                        packet.dts = int(packet.dts) + number * 90_000
                        packet.stream = out
                        target.mux(packet)
    _, data = made(stage, joined, (0, 0, 9, 9))
    seen = pictures(data, tmp_path / "copy.mp4")
    assert len(seen) == 2 * 3
    planes = list(seen.values())
    assert all(plane.max() > 150 for plane in planes[:3])
    assert all(plane.max() <= 40 for plane in planes[3:])


def test_approved_copy_goes_out_in_the_place_of_the_recording(stage: Stage, tmp_path: Path) -> None:
    path = bright(tmp_path / "a.mp4", size=(320, 240))
    view, data = made(stage, path, (10, 10, 50, 50))
    item, redactions = view.row.item_id, stage.services.redactions
    assert redactions.review(stage.second, view.row.id, "approve").state == "approved"
    bundle = stage.bundle(Wishes(COURT, withhold={item: frozenset({"original"})}), item_ids=[item])
    assert errors(bundle) == []
    assert verify_bundle(bundle).ok
    with zipfile.ZipFile(bundle) as opened:
        assert opened.read(f"data/redacted/{item}.1.mp4") == data
        every = b"".join(opened.read(name) for name in opened.namelist())
    for secret in (hashlib.sha256(path.read_bytes()).hexdigest(), NOTE):
        assert secret.encode() not in every
    event = next(one for one in events_of(stage.services, f"item:{item}") if one.type == "redaction")
    details = cast("Any", event.details)
    assert (details["covered_ms"], details["missing"]) == (3900, [])
    assert details["parameters"]["sound"] == "left out"


@pytest.mark.parametrize(
    ("region", "method", "code"),
    [
        ((0, 0, 9, 9), "mosaic", "bad_method"),
        ((0, 0, 9, 9, 500), "fill", "bad_region"),
        ((0, 0, 9, 9, 500, 500), "fill", "bad_region"),
        ((0, 0, 9, 9, -1, 500), "fill", "bad_region"),
        ((0, 0, 321, 9), "fill", "region_outside"),
    ],
)
def test_what_cannot_be_hidden_makes_no_copy(
    stage: Stage, tmp_path: Path, region: tuple[int, ...], method: str, code: str
) -> None:
    item = put(stage, bright(tmp_path / "a.mp4", size=(320, 240)))
    with pytest.raises(CatenaError) as refused:
        stage.services.redactions.redact(stage.lawyer, item, [region], method, "x")
    assert code in {refused.value.code, getattr(refused.value, "reason", None)}
    assert stage.services.redactions.of_item(stage.lawyer, item) == []


def test_a_photo_has_no_times(stage: Stage) -> None:
    with pytest.raises(CatenaError) as refused:
        stage.services.redactions.redact(stage.lawyer, stage.hidden, [(0, 0, 9, 9, 1, 2)], "fill", "x")
    assert refused.value.code == "bad_region"


def test_recording_that_would_take_too_long_makes_no_copy_instead_of_half_of_one(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.disclosure.redact_making.MOST_MEDIA_BYTES", 100)
    item = put(stage, bright(tmp_path / "a.mp4", size=(320, 240)))
    with pytest.raises(CatenaError) as refused:
        stage.services.redactions.redact(stage.lawyer, item, [], "fill", "x")
    assert "redaction_unfinished" in {refused.value.code, getattr(refused.value, "reason", None)}
    assert stage.services.redactions.of_item(stage.lawyer, item) == []


def test_recording_that_nobody_has_looked_into_yet_makes_no_copy(stage: Stage, tmp_path: Path) -> None:
    item = stage.put(bright(tmp_path / "a.mp4", size=(320, 240)).read_bytes(), "a.mp4", SourceContext())
    for region, code in (((0, 0, 9, 9, 1, 2), "not_analysed_yet"), ((0, 0, 9, 9), "image_unreadable")):
        with pytest.raises(CatenaError) as refused:
            stage.services.redactions.redact(stage.lawyer, item, [region], "fill", "x")
        assert code in {refused.value.code, getattr(refused.value, "reason", None)}
    work_off(stage.services)


def asked_later(stage: Stage, item: str, *regions: tuple[int, ...]) -> Job:
    job = stage.services.redactions.redact_later(stage.lawyer, item, regions, "fill", "Faces", even_short=True)
    assert job is not None
    return job


def again(stage: Stage, job: Job) -> Job:
    return stage.services.work.get(stage.admin, str(job.id))


def test_a_job_makes_the_copy_that_was_asked_for_and_tells_how_far_it_is(stage: Stage, tmp_path: Path) -> None:
    item = put(stage, bright(tmp_path / "a.mp4", size=(320, 240)))
    assert stage.services.redactions.redact_later(stage.lawyer, item, [], "fill", "x") is None, "it is short"
    assert stage.services.redactions.redact_later(stage.lawyer, stage.hidden, [], "fill", "x", even_short=True) is None
    told: list[tuple[int, int | None]] = []
    with mock.patch.object(type(stage.services.jobs), "progress", lambda _self, _claim, *far: told.append(far)):
        job = asked_later(stage, item, (0, 0, 100, 100))
        assert stage.services.redactions.of_item(stage.lawyer, item) == [], "nobody waited for it"
        work_off(stage.services)
    assert again(stage, job).state == "done"
    assert told
    assert all(total in {None, 4} and 0 <= done <= 4 for done, total in told)
    (view,) = stage.services.redactions.of_item(stage.lawyer, item)
    assert (view.row.created_by, view.row.reason, view.state) == (stage.lawyer.user_id, "Faces", "proposed")
    with stage.services.archive.blobs.open(view.row.sha256) as stream:
        first = pictures(stream.read(), tmp_path / "copy.mp4")[0.0]
    assert first[:100, :100].max() < 40
    assert first[150:, 150:].min() > 200


def test_a_job_believes_the_log_and_the_rights_of_its_maker_and_nothing_else(stage: Stage, tmp_path: Path) -> None:
    item = put(stage, bright(tmp_path / "a.mp4", size=(320, 240)))
    forged = asked_later(stage, item)
    with stage.services.archive.db.engine.begin() as connection:  # somebody names an event that asks for nothing
        payload = json.dumps({"item": item, "event": events_of(stage.services, f"item:{item}")[0].event_id})
        connection.exec_driver_sql("UPDATE job SET payload = ? WHERE id = ?", (payload, forged.id))
    gone = asked_later(stage, item)
    stage.services.access.remove_member(stage.admin.actor, stage.case.id, "lawyer")
    work_off_at_once(stage.services)
    reasons = {
        (one.state, (one.last_error or "").partition(":")[0]) for one in (again(stage, forged), again(stage, gone))
    }
    assert reasons == {("dead", "unknown_request"), ("dead", "unknown_item")}
    assert stage.services.redactions.of_item(stage.admin, item) == []


def test_a_worker_that_lost_its_lease_leaves_no_second_copy(stage: Stage, tmp_path: Path) -> None:
    item = put(stage, bright(tmp_path / "a.mp4", size=(320, 240)))
    job = asked_later(stage, item)
    claim = stage.services.jobs.claim("slow")
    assert claim is not None
    stage.services.jobs.postpone(claim, "taken over", 0)
    with pytest.raises(LeaseLostError):
        stage.services.redactions.handle_redact(claim)
    work_off(stage.services)
    assert again(stage, job).state == "done"
    assert len(stage.services.redactions.of_item(stage.lawyer, item)) == 1


def test_what_cannot_be_made_is_given_up_with_its_reason(stage: Stage, tmp_path: Path) -> None:
    item = put(stage, bright(tmp_path / "a.mp4", size=(320, 240)))
    with pytest.raises(CatenaError) as refused:
        asked_later(stage, item, (0, 0, 9, 9, 5, 4))
    assert refused.value.code == "bad_region", "told at once, where that can be"
    job = asked_later(stage, item, (0, 0, 9999, 9))
    work_off_at_once(stage.services)
    assert again(stage, job).state == "dead"
    assert "does not lie in 320 x 240 pixels" in str(again(stage, job).last_error)
    assert events_of(stage.services, f"item:{item}")[-1].type == "work given up"
