"""Telemetry in the data tracks of recordings: `gpmd` and `djmd` of MP4, MISB KLV of MPEG transport streams."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from app.analysis.probes.boxes import BoxWalk, walk_boxes
from app.analysis.probes.djmd import read_djmd
from app.analysis.probes.gpmf_track import read_gpmf, timed
from app.analysis.probes.klv import LEGACY_KEY, UL_KEY
from app.analysis.probes.klv_track import read_klv
from app.analysis.probes.readings import Remark, unread, unreadable
from app.analysis.probes.sample_table import TableError, TrackTable, track_codes, track_table
from app.analysis.probes.telemetry import Telemetry, thinned_remark, thinning
from app.analysis.probes.video import DEMUXERS, open_container

if TYPE_CHECKING:
    from av.container import InputContainer

READ_CODES: Final = (b"gpmd", b"djmd")
MAX_PACKETS: Final = 500_000
MAX_PACKET_BYTES: Final = 128 * 1024 * 1024
_MAX_TRACKS: Final = 8


Found = list[tuple[int, Telemetry]]


def read_movie_tracks(stream: BinaryIO, size: int) -> Found:
    """The telemetry tracks of an MP4 or QuickTime file; what is there and cannot be read is a remark of its track.

    Returns:
        Each with its number among the movie's tracks, which is the index that demuxers give it.
    """
    walk = walk_boxes(stream, size)
    codes = enumerate(track_codes(stream, walk))
    wanted = [(index, trak, code) for index, (trak, code) in codes if code in READ_CODES]
    found: Found = []
    for index, trak, code in wanted[:_MAX_TRACKS]:
        name = f"{code.decode()} track"
        try:
            table = track_table(stream, walk, trak, code)
        except TableError as error:
            found.append((index, Telemetry(source=name, remarks=[unreadable(f"the {name}: {error}")])))
            continue
        track = _read_table(stream, table, name)
        found.append((index, track))
        if _fragments(walk):
            track.remarks.append(unread(f"telemetry in the movie's fragments ({name})"))
    return found


def _fragments(walk: BoxWalk) -> bool:
    return any(box.name == b"moof" for box in walk.boxes)


def _read_table(stream: BinaryIO, table: TrackTable, name: str) -> Telemetry:
    step = thinning(len(table.spans)) if table.code == b"djmd" else 1
    samples = list(table.read(stream, step))
    if table.code == b"gpmd":
        track = read_gpmf(timed(samples), name)
    else:
        track = read_djmd([(start, data) for start, _, data in samples], name)
    if step > 1:
        track.in_file = len(table.spans)
        track.remarks.append(thinned_remark(len(table.spans), step))
    missing = -(-len(table.spans) // step) - len(samples)
    if missing > 0:
        text = f"{missing} samples of the {name} lie beyond the end of the file or of what is read"
        track.remarks.append(Remark("telemetry_malformed", f"{text}; they are left out"))
    return track


def read_stream_klv(path: Path) -> Found:
    """MISB sets in the data streams of an MPEG transport stream; nothing when there are none.

    Returns:
        Each with the index of its stream.

    Raises:
        OSError, ValueError and what else PyAV raises for what it cannot read.
    """
    with open_container(path, DEMUXERS["MPEG-TS"]) as container:
        packets, legacy, whole = _packets(container)
    found: Found = []
    for index, timed_packets in packets.items():
        track = read_klv(timed_packets, "KLV data stream")
        if not whole:
            track.remarks.append(unread("telemetry beyond the first packets of the data streams"))
        found.append((index, track))
    for index in sorted(legacy - packets.keys()):
        remark = unread("a KLV set of the form before MISB ST 0601 (EG 0104)")
        found.append((index, Telemetry(source="KLV data stream", remarks=[remark])))
    return found


Packets = dict[int, list[tuple[float | None, bytes]]]


def _packets(container: InputContainer) -> tuple[Packets, set[int], bool]:
    """Second of the video and bytes of the packets with a set, by stream; streams of the older form; whether all."""
    from av.stream import Discard

    wanted = [stream for stream in container.streams if stream.type == "data"][:_MAX_TRACKS]
    found: Packets = {}
    legacy: set[int] = set()
    if not wanted:
        return found, legacy, True
    origin = _origin(container)
    indexes = {stream.index for stream in wanted}
    for stream in container.streams:
        if stream.index not in indexes:
            stream.discard = Discard.all
    total = 0
    for number, packet in enumerate(container.demux(*wanted)):
        data = bytes(packet)
        total += len(data)
        if number >= MAX_PACKETS or total > MAX_PACKET_BYTES:
            return found, legacy, False
        if LEGACY_KEY in data:
            legacy.add(packet.stream_index)
        if UL_KEY not in data:
            continue
        stamp = packet.pts if packet.pts is not None else packet.dts
        start = None if stamp is None or packet.time_base is None else float(stamp * packet.time_base) - origin
        found.setdefault(packet.stream_index, []).append((start, data))
    return found, legacy, True


def _origin(container: InputContainer) -> float:
    """Where the video begins on the container's clock, seconds."""
    video = next((stream for stream in container.streams if stream.type == "video"), None)
    if video is not None and video.start_time is not None and video.time_base is not None:
        return float(video.start_time * video.time_base)
    return 0.0 if container.start_time is None else container.start_time / 1_000_000
