"""What encoders and recorders leave inside the first packets: user data, filler, the clocks of AVCHD.

Sources: ITU-T H.264 and H.265 annex D (user_data_unregistered), ISO/IEC 14496-2 (user_data); the layout of AVCHD's
recording date ("MDPM") is that of its recorders.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from app.analysis.probes.readings import clean
from app.analysis.probes.video import open_container

_MAX_PACKETS, _MAX_PACKET = 3, 512 * 1024
_MAX_DEMUXED = 400
_MAX_SEI, _MAX_SHOWN = 32, 400
_H264_SEI, _HEVC_SEI = 6, {39, 40}
_UNREGISTERED = 5
_AVCHD: Final = bytes.fromhex("17ee8c60f84d11d98cd60800200c9a66") + b"MDPM"
_NAMES: Final = {
    bytes.fromhex("dc45e9bde6d948b7962cd820d923eeef"): "x264",
    bytes.fromhex("2ca2de09b51747dbbb55a4fe7fc2fc4e"): "x265",
}
_LAVC: Final = re.compile(rb"(?:Lav[cf]|LAME|libfaac ?|Xvi[dD]|DivX|Nero AAC )[\w.]{2,20}")
_MAKERS: Final = {0x0103: "Panasonic", 0x0108: "Sony", 0x1011: "Canon", 0x1104: "JVC"}


@dataclass
class Traces:
    """What was found.

    Attributes:
        texts: by name ("x264", "Lavc", "SEI 0123…"): the text, bounded.
        clock: the recorder's local time with its zone ("2011-07-02T17:25:04+02:00"), where AVCHD states one.
        clock_raw: its bytes.
        maker: the recorder's maker by AVCHD's number.
    """

    texts: dict[str, str] = field(default_factory=dict)
    clock: str | None = None
    clock_raw: str | None = None
    maker: str | None = None


def read_traces(path: Path, demuxer: str | None) -> Traces:
    """Look into the first packets of the first video and the first audio stream; an unreadable file leaves none."""
    import av

    traces = Traces()
    try:
        with open_container(path, demuxer) as container:
            wanted = [streams[0] for streams in (container.streams.video, container.streams.audio) if streams]
            if not wanted:
                return traces
            left = {stream.index: _MAX_PACKETS for stream in wanted}
            codecs = {stream.index: stream.codec_context.name if stream.codec_context else "" for stream in wanted}
            for stream in wanted:
                extra = stream.codec_context.extradata if stream.codec_context else None
                if extra:
                    _look(bytes(extra), codecs[stream.index], traces)
            for number, packet in enumerate(container.demux(wanted)):
                index = packet.stream.index
                if packet.size and left.get(index, 0) > 0:
                    left[index] -= 1
                    _look(bytes(memoryview(packet)[:_MAX_PACKET]), codecs[index], traces)
                if number >= _MAX_DEMUXED or not any(left.values()):
                    break
    except MemoryError:
        raise
    except (OSError, ValueError, EOFError, RuntimeError, IndexError, av.error.FFmpegError):
        return traces
    return traces


def _look(data: bytes, codec: str, traces: Traces) -> None:
    if codec in {"h264", "hevc"}:
        for body in list(sei_payloads(data, hevc=codec == "hevc"))[:_MAX_SEI]:
            _unregistered(body, traces)
    for match in list(_LAVC.finditer(data))[:4]:
        text = match[0].decode("ascii", "replace")
        traces.texts.setdefault(text.rstrip("0123456789. "), text)


def sei_payloads(data: bytes, *, hevc: bool) -> Iterator[bytes]:
    """Payloads of user_data_unregistered among the units of a packet, start codes or lengths before them."""
    for unit in _units(data):
        kind = unit[0] >> 1 & 0x3F if hevc else unit[0] & 0x1F
        if kind in _HEVC_SEI if hevc else kind == _H264_SEI:
            yield from _messages(unit[2 if hevc else 1 :].replace(b"\0\0\3", b"\0\0"))


def _units(data: bytes) -> Iterator[bytes]:
    if b"\0\0\1" in data[:8]:
        yield from (part for part in data.split(b"\0\0\1")[1:] if part)
        return
    at = 0
    while at + 5 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        if not 0 < length <= len(data) - at - 4:
            # An avcC or hvcC record, or a packet that was cut: the units have no frame that is known here.
            break
        yield data[at + 4 : at + 4 + length]
        at += 4 + length


def _messages(body: bytes) -> Iterator[bytes]:
    at = 0
    while at + 2 <= len(body) and body[at] != 0x80:  # noqa: PLR2004 (the trailing bit)
        kind, at = _counted(body, at)
        length, at = _counted(body, at)
        if kind == _UNREGISTERED and length >= 16:  # noqa: PLR2004 (a UUID)
            yield body[at : at + length]
        at += length


def _counted(body: bytes, at: int) -> tuple[int, int]:
    total = 0
    while at < len(body) and body[at] == 0xFF:  # noqa: PLR2004 (goes on)
        total, at = total + 255, at + 1
    return (total + body[at], at + 1) if at < len(body) else (total, at)


def _unregistered(body: bytes, traces: Traces) -> None:
    if body.startswith(_AVCHD):
        _avchd(body[len(_AVCHD) :], traces)
        return
    name = _NAMES.get(body[:16], f"SEI {body[:16].hex()}")
    text = body[16 : 16 + _MAX_SHOWN].split(b"\0", 1)[0]
    if len(traces.texts) < _MAX_SEI:
        readable = text and all(0x20 <= byte < 0x7F or byte in b"\r\n\t" for byte in text)  # noqa: PLR2004 (ASCII)
        traces.texts.setdefault(name, clean(text) if readable else f"{len(body) - 16} bytes {body[16:48].hex()}")


def _avchd(body: bytes, traces: Traces) -> None:
    """A number of entries, each a tag and four bytes: 18 and 19 are zone, year, month; day, hour, minute, second."""
    entries = (
        {body[at]: body[at + 1 : at + 5] for at in range(1, min(len(body), 1 + 5 * body[0]) - 4, 5)} if body else {}
    )
    first, second, made = entries.get(0x18, b""), entries.get(0x19, b""), entries.get(0xE0, b"")
    traces.maker = traces.maker or _MAKERS.get(int.from_bytes(made[:2], "big"))
    digits = (first[1:] + second).hex()
    if traces.clock is None and len(first) == len(second) == 4 and digits.isdecimal():  # noqa: PLR2004 (both are there)
        zone = first[0]
        traces.clock_raw = (first + second).hex()
        traces.clock = (
            f"{digits[:4]}-{digits[4:6]}-{digits[6:8]}T{digits[8:10]}:{digits[10:12]}:{digits[12:14]}"
            f"{'-' if zone & 0x20 else '+'}{zone >> 1 & 0x0F:02d}:{'30' if zone & 1 else '00'}"
        )
