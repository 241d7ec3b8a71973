"""Facts of an MPEG transport stream: programs, PIDs, first and last time stamps (ISO/IEC 13818-1, ETSI EN 300 468)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import BinaryIO, Final

from app.analysis.probes.readings import Remark, clean

_PACKET, _SYNC = 188, 0x47
_HEAD_BYTES, _TAIL_BYTES = 8 * 1024 * 1024, 4 * 1024 * 1024
_MAX_PIDS, _MAX_PROGRAMS = 256, 32
_PAT, _SDT = 0, 0x11
_CLOCK = 90_000
_WRAP = 1 << 33
_PMT_TABLE, _SDT_TABLE = 2, 0x42
_STREAM_TYPES: Final = {
    0x01: "MPEG-1 video", 0x02: "MPEG-2 video", 0x03: "MPEG-1 audio", 0x04: "MPEG-2 audio", 0x05: "private sections",
    0x06: "private data", 0x0F: "AAC audio", 0x10: "MPEG-4 video", 0x11: "AAC audio (LATM)", 0x15: "metadata in PES",
    0x1B: "H.264 video", 0x24: "H.265 video", 0x80: "LPCM audio", 0x81: "AC-3 audio", 0x90: "PGS subtitles",
}  # fmt: skip
_REGISTRATION, _METADATA, _SERVICE = 0x05, 0x26, 0x48


@dataclass
class ElementaryStream:
    """One PID: what it carries, and its first and last presentation time, seconds."""

    pid: int
    type: int
    kind: str
    registration: str | None = None
    first_pts_s: float | None = None
    last_pts_s: float | None = None

    @property
    def telemetry(self) -> bool:
        """Whether it is announced as SMPTE 336M key-length-value data (MISB ST 1402)."""
        return self.registration == "KLVA"


@dataclass
class Program:
    """One program: number, PIDs of its map and clock, its service's names."""

    number: int
    pmt_pid: int
    pcr_pid: int | None = None
    provider: str | None = None
    service: str | None = None
    streams: list[ElementaryStream] = field(default_factory=list)


@dataclass
class TransportFacts:
    """What the packets state; `packet_bytes` is 188, 192 (with a time code before each, M2TS) or 204.

    `partial` says that only the beginning and the end were read.
    """

    packet_bytes: int = 0
    programs: dict[int, Program] = field(default_factory=dict)
    partial: bool = False
    remarks: list[Remark] = field(default_factory=list)


class _Reader:
    """Sections of the tables, and time stamps by PID."""

    def __init__(self, facts: TransportFacts) -> None:
        self._facts = facts
        self._sections: dict[int, bytearray] = {}
        self.first: dict[int, int] = {}
        self.last: dict[int, int] = {}

    def packet(self, packet: bytes) -> None:
        pid = (packet[1] & 0x1F) << 8 | packet[2]
        start = bool(packet[1] & 0x40)
        at = 4
        if packet[3] & 0x20:
            at += 1 + packet[4]
        if not packet[3] & 0x10 or at >= _PACKET:
            return
        payload = packet[at:]
        if pid in {_PAT, _SDT} or any(program.pmt_pid == pid for program in self._facts.programs.values()):
            self._table(pid, payload, start=start)
        elif start and payload[:3] == b"\0\0\1" and len(payload) >= 14 and payload[7] & 0x80:  # noqa: PLR2004 (a PES header)
            self._stamp(pid, payload[9:14])

    def _stamp(self, pid: int, data: bytes) -> None:
        pts = (data[0] >> 1 & 7) << 30 | data[1] << 22 | data[2] >> 1 << 15 | data[3] << 7 | data[4] >> 1
        if len(self.first) < _MAX_PIDS or pid in self.first:
            # Pictures come out of order: the earliest near the beginning, the latest near the end.
            first = self.first.setdefault(pid, pts)
            if 0 < (first - pts) % _WRAP < _CLOCK:
                self.first[pid] = pts
            last = self.last.setdefault(pid, pts)
            if not 0 < (last - pts) % _WRAP < _CLOCK:
                self.last[pid] = pts

    def _table(self, pid: int, payload: bytes, *, start: bool) -> None:
        if start:
            self._sections[pid] = bytearray(payload[1 + payload[0] :])
        elif pid in self._sections and len(self._sections[pid]) < 4096:  # noqa: PLR2004 (the longest section)
            self._sections[pid] += payload
        section = bytes(self._sections.get(pid, b""))
        length = 3 + (int.from_bytes(section[1:3], "big") & 0xFFF)
        if len(section) < max(length, 12):
            return
        body = section[:length][:-4]
        if pid == _PAT and section[0] == 0:
            self._programs(body)
        elif section[0] == _PMT_TABLE:
            self._map(pid, body)
        elif section[0] == _SDT_TABLE:
            self._services(body)
        del self._sections[pid]

    def _programs(self, body: bytes) -> None:
        for at in range(8, len(body) - 3, 4):
            number = int.from_bytes(body[at : at + 2], "big")
            pid = int.from_bytes(body[at + 2 : at + 4], "big") & 0x1FFF
            if number and len(self._facts.programs) < _MAX_PROGRAMS:
                self._facts.programs.setdefault(number, Program(number, pid))

    def _map(self, pid: int, body: bytes) -> None:
        number = int.from_bytes(body[3:5], "big")
        program = self._facts.programs.get(number)
        if program is None or program.pmt_pid != pid or program.streams or len(body) < 12:  # noqa: PLR2004 (its head)
            return
        program.pcr_pid = int.from_bytes(body[8:10], "big") & 0x1FFF
        at = 12 + (int.from_bytes(body[10:12], "big") & 0xFFF)
        while at + 5 <= len(body) and len(program.streams) < _MAX_PIDS:
            kind, stream_pid = body[at], int.from_bytes(body[at + 1 : at + 3], "big") & 0x1FFF
            length = int.from_bytes(body[at + 3 : at + 5], "big") & 0xFFF
            program.streams.append(_stream(kind, stream_pid, body[at + 5 : at + 5 + length]))
            at += 5 + length

    def _services(self, body: bytes) -> None:
        at = 11
        while at + 5 <= len(body):
            program = self._facts.programs.get(int.from_bytes(body[at : at + 2], "big"))
            length = int.from_bytes(body[at + 3 : at + 5], "big") & 0xFFF
            for tag, value in _descriptors(body[at + 5 : at + 5 + length]):
                if tag == _SERVICE and len(value) > 2 and program is not None:  # noqa: PLR2004 (type and length)
                    middle = 2 + value[1]
                    program.provider = _name(value[2:middle])
                    program.service = _name(value[middle + 1 :])
            at += 5 + length


def _name(text: bytes) -> str | None:
    return clean(text.lstrip(bytes(range(0x20))).decode("utf-8", "replace")).strip() or None


def _descriptors(data: bytes) -> list[tuple[int, bytes]]:
    found, at = [], 0
    while at + 2 <= len(data):
        found.append((data[at], data[at + 2 : at + 2 + data[at + 1]]))
        at += 2 + data[at + 1]
    return found


def _stream(kind: int, pid: int, descriptors: bytes) -> ElementaryStream:
    stream = ElementaryStream(pid, kind, _STREAM_TYPES.get(kind, f"type 0x{kind:02x}"))
    for tag, value in _descriptors(descriptors):
        if tag == _REGISTRATION and len(value) >= 4:  # noqa: PLR2004 (a code)
            stream.registration = clean(value[:4].decode("latin-1")).strip()
        elif tag == _METADATA and b"KLVA" in value:
            stream.registration = "KLVA"
    if stream.telemetry:
        stream.kind = "KLV data" if kind == 0x06 else "KLV data with times"  # noqa: PLR2004 (asynchronous)
    return stream


def read_transport(stream: BinaryIO, size: int) -> TransportFacts:
    """Read tables and time stamps at the beginning, and time stamps at the end."""
    facts = TransportFacts()
    stream.seek(0)
    head = stream.read(_HEAD_BYTES)
    facts.packet_bytes, offset = _framing(head)
    if not facts.packet_bytes:
        facts.remarks.append(Remark("structure_unreadable", "no packets of a transport stream were found"))
        return facts
    reader = _Reader(facts)
    _packets(reader, head, offset, facts.packet_bytes)
    if size > _HEAD_BYTES:
        facts.partial = size > _HEAD_BYTES + _TAIL_BYTES
        at = max(_HEAD_BYTES, size - _TAIL_BYTES)
        at += (offset - at) % facts.packet_bytes
        stream.seek(at)
        _packets(reader, stream.read(_TAIL_BYTES), 0, facts.packet_bytes)
    for program in facts.programs.values():
        for one in program.streams:
            one.first_pts_s, one.last_pts_s = (_seconds(found.get(one.pid)) for found in (reader.first, reader.last))
    return facts


def _framing(head: bytes) -> tuple[int, int]:
    """Length of a packet and place of the first sync byte; (0, 0) where there are no packets."""
    for length in (188, 192, 204):
        for offset in {0} if length != 192 else {4, 0}:  # noqa: PLR2004 (M2TS)
            marks = head[offset::length][:4]
            if marks and set(marks) == {_SYNC}:
                return length, offset
    return 0, 0


def _packets(reader: _Reader, data: bytes, offset: int, length: int) -> None:
    for at in range(offset, len(data) - _PACKET + 1, length):
        if data[at] == _SYNC:
            reader.packet(data[at : at + _PACKET])


def _seconds(pts: int | None) -> float | None:
    return None if pts is None else round(pts / _CLOCK, 6)
