"""Proxies: each moment at the original's time, upright, playable, and never called whole when they are not."""

from __future__ import annotations

import contextlib
import itertools
import math
import random
import re
import struct
import time
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import cast
from unittest import mock

import av
import numpy as np
import pytest
from av.stream import Disposition

from app.analysis.errors import AnalysisError, SandboxFailure
from app.analysis.limits import Limits
from app.analysis.proxy import Budget, ProxyFacts, render_proxy
from app.analysis.proxy_answer import MAX_BYTES, room_for
from app.analysis.proxy_mp4 import FrontIndex, move_chunks
from app.analysis.sandbox import run_sandboxed
from tests.media_samples import clip
from tests.recordings import Seen, play, read_bars, record

PLENTY = Budget(cpu_s=math.inf, wall_s=300, media_bytes=64 << 20)  # CPU time: of the whole test process


def tenths(seconds: float, rate: int = 10) -> list[float]:
    return [number / rate for number in range(round(seconds * rate))]


def proxied(path: Path, budget: Budget = PLENTY) -> tuple[ProxyFacts, Path]:
    parts: list[bytes] = []
    facts, front = render_proxy(path, budget, parts.append)
    made = path.with_suffix(".proxy.mp4")
    made.write_bytes(front + b"".join(parts))
    return facts, made


def boxes(path: Path) -> list[bytes]:
    data, found, at = path.read_bytes(), [], 0
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        found.append(kind)
        at += size
    assert at == len(data), "the last box ends with the file"
    return found


def assert_same_times(seen: Seen, shift: float = 0.0) -> None:
    """Every picture shows the time at which it stands."""
    assert seen.pictures
    assert [shown for _, shown in seen.pictures] == [round((at + shift) * 10) for at, _ in seen.pictures]


def test_proxy_is_h264_and_aac_in_mp4_with_its_index_in_front_and_key_frames_to_seek_to(tmp_path: Path) -> None:
    original = record(tmp_path / "a.mkv", tenths(7), sound=(0.0, 7.0))
    before = original.read_bytes()
    facts, made = proxied(original)
    assert original.read_bytes() == before
    assert boxes(made) == [b"ftyp", b"moov", b"mdat"]
    seen = play(made)
    assert (seen.codec, seen.profile, seen.pixels, seen.audio) == ("h264", "High", "yuv420p", "aac")
    assert_same_times(seen)
    assert len(seen.pictures) == facts.frames == 70
    assert seen.keys == [0.0, 2.0, 4.0, 6.0]
    assert (facts.width, facts.height, facts.sound, facts.missing) == (320, 240, True, [])
    assert abs(facts.covered_ms - 7000) < 150
    assert proxied(original)[1].read_bytes() == made.read_bytes(), "the same file gives the same proxy"


def test_uneven_frame_times_stay_and_fast_ones_are_thinned_out_in_place(tmp_path: Path) -> None:
    uneven = [0.0, 0.1, 0.5, 0.6, 2.0, 2.1, 2.2, 5.0]
    facts, made = proxied(record(tmp_path / "uneven.mp4", uneven))
    assert [at for at, _ in play(made).pictures] == uneven
    assert_same_times(play(made))
    fast = record(tmp_path / "fast.mp4", [number / 60 for number in range(120)])
    facts, made = proxied(fast)
    assert (facts.frames, facts.frames_left_out, facts.missing) == (60, 60, [])
    for at, shown in play(made).pictures:
        assert abs(shown / 10 - at) <= 0.051


@pytest.mark.parametrize(("rotation", "size"), [(90, (240, 320)), (-90, (240, 320)), (180, (320, 240))])
def test_turned_recording_is_upright(tmp_path: Path, rotation: int, size: tuple[int, int]) -> None:
    _, made = proxied(record(tmp_path / "turned.mp4", [26.2] * 1, rotation=rotation, size=(320, 240)))
    plane = play(made).planes[0]
    assert plane.shape == (size[1], size[0])
    upright = np.rot90(plane, -rotation // 90)
    assert read_bars(np.ascontiguousarray(upright)) == 262


@pytest.mark.parametrize(
    ("size", "aspect", "wanted"),
    [
        ((1920, 1080), None, (1280, 720)),
        ((1080, 1920), None, (720, 1280)),
        ((333, 127), None, (332, 128)),
        ((16, 1600), None, (16, 1280)),
        ((320, 240), Fraction(4, 3), (426, 240)),
        ((1, 1), None, (16, 16)),
    ],
)
def test_every_size_fits_a_screen(
    tmp_path: Path, size: tuple[int, int], aspect: Fraction | None, wanted: tuple[int, int]
) -> None:
    codec, pixels, end = ("libx264", "yuv420p", "mp4") if all(n % 2 == 0 for n in size) else ("ffv1", "yuv444p", "mkv")
    original = record(tmp_path / f"a.{end}", [0.0, 0.1], size=size, aspect=aspect, codec=codec, pixels=pixels)
    facts, made = proxied(original)
    assert play(made).size == wanted == (facts.width, facts.height)


@pytest.mark.parametrize(
    ("name", "codec", "pixels"),
    [("a.webm", "libvpx", "yuv420p"), ("a.avi", "mpeg4", "yuv420p"), ("a.mov", "libx265", "yuv420p10le")],
)
def test_other_containers_and_codecs_are_read(tmp_path: Path, name: str, codec: str, pixels: str) -> None:
    facts, made = proxied(record(tmp_path / name, tenths(1), codec=codec, pixels=pixels))
    assert_same_times(play(made))
    assert (len(play(made).pictures), facts.missing) == (10, [])


def test_sound_stays_at_its_time_when_it_begins_late_and_pictures_go_on_without_it(tmp_path: Path) -> None:
    facts, made = proxied(record(tmp_path / "late.mkv", tenths(6), sound=(2.0, 4.0)))
    seen = play(made)
    assert_same_times(seen)
    assert seen.loud is not None
    assert np.allclose(seen.loud, (2.0, 4.0), atol=0.06)
    assert (seen.audio, facts.sound, len(seen.pictures)) == ("aac", True, 60)
    silent, without = proxied(record(tmp_path / "silent.mp4", tenths(1)))
    assert (play(without).audio, silent.sound, silent.missing) == (None, False, [])


def test_recording_whose_clock_does_not_begin_at_zero_says_by_how_much(tmp_path: Path) -> None:
    facts, made = proxied(record(tmp_path / "a.ts", [at + 3 for at in tenths(2)], format="mpegts"))
    assert facts.origin_ms > 2900
    seen = play(made)
    assert seen.pictures[0][0] == 0.0
    assert_same_times(seen, shift=3.0)


def test_interlaced_pictures_become_whole_ones_at_their_times(tmp_path: Path) -> None:
    flags = {"flags": "+ilme+ildct", "field_order": "tt"}
    original = record(tmp_path / "a.mkv", tenths(2, 5), codec="mpeg2video", options=flags, size=(320, 240))
    with av.open(str(original)) as source:
        assert next(source.decode(video=0)).interlaced_frame
    facts, made = proxied(original)
    assert_same_times(play(made))
    assert facts.frames == 10


def test_high_dynamic_range_is_mapped_and_said(tmp_path: Path) -> None:
    original = record(tmp_path / "hdr.mkv", [26.2, 26.3], codec="libx265", pixels="yuv420p10le", transfer=16)
    facts, made = proxied(original)
    assert facts.tone_mapped
    assert play(made).pictures[0][1] == 262
    with av.open(str(made)) as source:
        context = source.streams.video[0].codec_context
        assert (context.pix_fmt, context.color_trc, context.color_primaries) == ("yuv420p", 1, 1)


def test_size_that_changes_midway_gets_bars_and_keeps_its_times(tmp_path: Path) -> None:
    first = record(tmp_path / "a.ts", tenths(2, 5), format="mpegts", codec="mpeg2video", size=(320, 240)).read_bytes()
    later = record(tmp_path / "b.ts", tenths(2, 5), format="mpegts", codec="mpeg2video", size=(160, 240)).read_bytes()
    (tmp_path / "c.ts").write_bytes(first + later)
    facts, made = proxied(tmp_path / "c.ts")
    assert play(made).size == (320, 240)
    assert facts.frames >= 10


# -- not all of it ----------------------------------------------------------------------------


def joined(path: Path, *parts: Path, cover: bool = False) -> Path:
    """A file with the streams of several, as they are; a cover picture beside them where one is wanted."""
    with contextlib.ExitStack() as stack:
        target = stack.enter_context(av.open(str(path), "w"))
        sources = [stack.enter_context(av.open(str(part))) for part in parts]
        made = [[target.add_stream_from_template(one) for one in source.streams] for source in sources]
        stream = target.add_stream("mjpeg", rate=1) if cover else None
        if stream is not None:
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
            stream.disposition = Disposition.attached_pic
            target.mux(stream.encode(av.VideoFrame(64, 48, "yuvj420p")))
            target.mux(stream.encode(None))
        for source, streams in zip(sources, made, strict=True):
            for packet in source.demux():
                if packet.dts is not None:
                    packet.stream = streams[packet.stream.index]
                    target.mux(packet)
    return path


def test_second_camera_and_further_microphones_are_counted_and_never_read_as_whole(tmp_path: Path) -> None:
    one = record(tmp_path / "one.mp4", tenths(1), sound=(0.0, 1.0))
    voice = record(tmp_path / "two.mp4", tenths(1), sound=(0.0, 1.0))
    facts, made = proxied(joined(tmp_path / "both.mp4", one, voice))
    assert (facts.further_pictures, facts.further_sound) == (1, 1)
    assert facts.missing == ["further_pictures", "further_sound"]
    assert len(play(made).pictures) == 10
    unknown = tmp_path / "both.mp4"
    unknown.write_bytes(b"xxxx".join(unknown.read_bytes().rsplit(b"mp4a", 1)))
    facts, _ = proxied(unknown)
    assert facts.further_sound == 1, "sound that no decoder takes is sound"


def test_cover_picture_is_no_further_recording(tmp_path: Path) -> None:
    original = joined(tmp_path / "b.mp4", record(tmp_path / "a.mp4", tenths(1), sound=(0.0, 1.0)), cover=True)
    with av.open(str(original)) as source:
        assert len(source.streams.video) == 2
    facts, _ = proxied(original)
    assert (facts.further_pictures, facts.further_sound, facts.missing) == (0, 0, [])


@pytest.mark.parametrize(
    ("pictures", "sound", "missing"),
    [(3, 10, ["shorter_than_claimed"]), (10, 3, ["sound_shorter_than_claimed"])],
)
def test_pictures_and_sound_that_stop_early_are_no_more_whole_for_the_other_going_on(
    tmp_path: Path, pictures: int, sound: int, missing: list[str]
) -> None:
    original = record(tmp_path / "a.mkv", tenths(pictures), sound=(0.0, float(sound)))
    assert proxied(original)[0].missing == [], "what ends where it says that it ends is whole"
    data, count = re.subn(rb"00:00:03\.[0-9]{9}", b"00:00:10.000000000", original.read_bytes())
    assert count == 1
    original.write_bytes(data)
    facts, _ = proxied(original)
    assert facts.missing == missing
    assert abs(facts.covered_ms - pictures * 1000) < 250


def test_length_that_nothing_announces_is_not_known_to_be_whole(tmp_path: Path) -> None:
    live = record(tmp_path / "live.mkv", tenths(2), sound=(0.0, 2.0), container_options={"live": "1"})
    facts, _ = proxied(live)
    assert (facts.claimed_ms, facts.missing) == (None, ["length_unknown"])
    stream = record(tmp_path / "a.ts", tenths(2), format="mpegts")
    assert proxied(stream)[0].missing == ["length_unknown"]


# -- damaged, hostile -------------------------------------------------------------------------


def test_cut_off_recording_gives_what_decodes_and_says_that_it_is_not_all(tmp_path: Path) -> None:
    original = record(tmp_path / "a.mp4", tenths(20), container_options={"movflags": "faststart"})
    data = original.read_bytes()
    original.write_bytes(data[: len(data) // 2])
    facts, made = proxied(original)
    assert "shorter_than_claimed" in facts.missing
    assert facts.claimed_ms == 20_000
    assert 3_000 < facts.covered_ms < 17_000
    assert_same_times(play(made))


def test_packets_that_do_not_decode_are_counted(tmp_path: Path) -> None:
    original = record(tmp_path / "a.mkv", tenths(10), codec="mjpeg", pixels="yuvj420p")
    data = bytearray(original.read_bytes())
    starts = [at for at in range(len(data) - 3) if data[at : at + 3] == b"\xff\xd8\xff"]
    for start, end in itertools.pairwise(starts[20:41]):
        data[start : end - 20] = bytes(end - 20 - start)  # the container's own heads stay
    original.write_bytes(data)
    facts, made = proxied(original)
    assert facts.packets_damaged > 0
    assert "packets_damaged" in facts.missing
    undamaged = [(at, shown) for at, shown in play(made).pictures if shown == round(at * 10)]
    assert len(undamaged) >= 75


def test_sound_whose_form_changes_with_the_damage_stops_no_picture(tmp_path: Path) -> None:
    original = record(tmp_path / "a.ts", tenths(10), format="mpegts", sound=(0.0, 10.0))
    data, chance = bytearray(original.read_bytes()), random.Random(1)  # noqa: S311 (the same damage each time)
    for _ in range(40):
        at = chance.randrange(len(data) // 3, len(data) * 2 // 3)
        data[at : at + 50] = chance.randbytes(50)
    original.write_bytes(data)
    facts, made = proxied(original)
    assert "packets_damaged" in facts.missing
    assert len(play(made).pictures) > 80


def test_sound_that_no_decoder_takes_makes_a_proxy_without_it_and_says_so(tmp_path: Path) -> None:
    original = record(tmp_path / "a.mkv", tenths(1), sound=(0.0, 1.0))
    data = original.read_bytes()
    assert data.count(b"A_AAC") == 1
    original.write_bytes(data.replace(b"A_AAC", b"A_XXX"))
    facts, made = proxied(original)
    assert facts.missing == ["sound_unreadable"]
    assert play(made).audio is None


@pytest.mark.parametrize("bound", ["cpu_s", "wall_s", "media_bytes"])
def test_proxy_that_reaches_a_bound_ends_as_a_whole_file_that_is_called_partial(tmp_path: Path, bound: str) -> None:
    original = record(tmp_path / "a.mkv", tenths(90), size=(320, 240), options={"preset": "ultrafast"})
    short = {"cpu_s": time.process_time() + 0.2, "wall_s": 0.1, "media_bytes": 1}[bound]
    code = "size_limit" if bound == "media_bytes" else "time_limit"
    budget = replace(PLENTY, **{"cpu_s": 1e9, bound: short})  # type: ignore[arg-type]
    facts, made = proxied(original, budget)
    assert code in facts.missing
    assert boxes(made) == [b"ftyp", b"moov", b"mdat"]
    assert_same_times(play(made))
    assert facts.covered_ms < 89_000
    with pytest.raises(AnalysisError) as refused:
        proxied(original, replace(PLENTY, cpu_s=0))
    assert refused.value.code == "time_limit"


def test_claims_of_absurd_length_and_gaps_cost_nothing(tmp_path: Path) -> None:
    original = record(tmp_path / "a.mkv", [0.0, 0.1, 1_000_000.0], sound=(0.0, 0.2))
    facts, made = proxied(original)
    assert "too_long" in facts.missing
    assert facts.claimed_ms is not None
    assert facts.claimed_ms > 900_000_000
    assert len(play(made).pictures) == 2


def test_frames_that_are_too_large_are_refused_before_they_are_shrunk(tmp_path: Path) -> None:
    original = record(tmp_path / "a.mkv", [0.0], size=(9_000, 8_000), codec="mjpeg", pixels="yuvj420p")
    with pytest.raises(AnalysisError) as refused:
        proxied(original)
    assert refused.value.code == "video_too_large"


@pytest.mark.parametrize("content", [b"", b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom", b"#EXTM3U\n/etc/passwd\n", b"RIFF"])
def test_remains_of_a_recording_give_a_coded_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "remains.mp4").write_bytes(content)
    with pytest.raises(AnalysisError) as refused:
        proxied(tmp_path / "remains.mp4")
    assert refused.value.code in {"video_unreadable", "no_picture"}


def test_installation_without_the_encoder_says_so(tmp_path: Path) -> None:
    original = clip(tmp_path / "a.mp4")
    with mock.patch("app.analysis.proxy.ENCODER", "libx264-that-is-not-here"), pytest.raises(AnalysisError) as refused:
        proxied(original)
    assert refused.value.code == "proxy_unavailable"
    assert "libx264-that-is-not-here" in refused.value.detail


def test_room_is_bounded_whatever_a_header_claims() -> None:
    tiny, _ = room_for(2_000, 1e12)
    assert tiny.cpu_s < 25
    assert tiny.wall_s < 30
    unknown, _ = room_for(50 << 30, None)
    assert unknown.media_bytes == MAX_BYTES < 1 << 32
    modest, limits = room_for(100 << 20, 60.0)
    assert modest.cpu_s > 1_000, "a header that says too little does not cut a recording short"
    assert limits.cpu_s > modest.cpu_s
    assert limits.wall_s > modest.wall_s
    assert room_for(50 << 30, 1e300)[1].cpu_s < 100_000


# -- through the sandbox ----------------------------------------------------------------------


def test_confined_encoder_gives_the_same_bytes_part_by_part_with_its_progress(tmp_path: Path) -> None:
    original = record(tmp_path / "a.mkv", tenths(3), sound=(0.0, 3.0))
    parts: list[bytes] = []
    told: list[object] = []

    def take(header: dict[str, object], body: bytes) -> None:
        (parts if header["part"] == "media" else told).append(body or header)  # type: ignore[arg-type]

    answer = run_sandboxed("app.analysis.tasks:proxy_task", (original, PLENTY), Limits(cpu_s=60), on_part=take)
    facts, front = cast("tuple[dict[str, object], bytes]", answer)
    assert facts["frames"] == 30
    assert told
    assert front + b"".join(parts) == proxied(original)[1].read_bytes()


def test_hostile_frame_size_ends_within_the_sandbox_as_a_reason(tmp_path: Path) -> None:
    original = record(tmp_path / "a.mkv", [0.0], size=(9_000, 8_000), codec="mjpeg", pixels="yuvj420p")
    with pytest.raises(SandboxFailure) as failed:
        run_sandboxed("app.analysis.tasks:proxy_task", (original, PLENTY), on_part=lambda *_: None)
    assert failed.value.reason == "video_too_large" or failed.value.code == "parser_memory"


# -- the writer -------------------------------------------------------------------------------


def test_index_that_passes_its_ceiling_and_one_that_never_comes_are_refused() -> None:
    sent: list[bytes] = []
    writer = FrontIndex(sent.append)
    writer.write(struct.pack(">I4s8s", 16, b"ftyp", b"isom\0\0\0\0") + struct.pack(">I4s", 0, b"mdat") + b"media")
    assert sent == [b"media"]
    with pytest.raises(AnalysisError) as refused:
        writer.front()
    assert refused.value.code == "proxy_unfinished"
    writer.seek(16)
    writer.write(struct.pack(">I", 13))
    writer.seek(29)
    with mock.patch("app.analysis.proxy_mp4.MAX_INDEX_BYTES", 10), pytest.raises(AnalysisError) as too_large:
        writer.write(bytes(11))
    assert too_large.value.code == "proxy_too_large"


def test_chunk_offsets_are_moved_in_both_widths_and_never_wrap() -> None:
    def table(kind: bytes, code: str, *offsets: int) -> bytes:
        body = struct.pack(f">II{len(offsets)}{code}", 0, len(offsets), *offsets)
        return struct.pack(">I4s", 8 + len(body), kind) + body

    def wrapped(inner: bytes) -> bytearray:
        for kind in (b"stbl", b"minf", b"mdia", b"trak", b"moov"):
            inner = struct.pack(">I4s", 8 + len(inner), kind) + inner
        return bytearray(inner)

    for kind, code in ((b"stco", "I"), (b"co64", "Q")):
        index = wrapped(table(kind, code, 48, 4096))
        move_chunks(index, 1000)
        assert index == wrapped(table(kind, code, 1048, 5096))
    for broken in (table(b"stco", "I", 2**32 - 1), table(b"stco", "I", 48)[:-2]):
        inner = wrapped(broken)
        with pytest.raises(AnalysisError) as refused:
            move_chunks(inner, 1000)
        assert refused.value.code == "proxy_unfinished"


def test_times_of_proxies_never_run_backwards(tmp_path: Path) -> None:
    _, made = proxied(record(tmp_path / "a.mkv", tenths(3), options={"bf": "3"}))
    times = [at for at, _ in play(made).pictures]
    assert all(first < second for first, second in itertools.pairwise(times))
