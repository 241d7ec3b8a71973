"""GoPro's record in JPEG segments (APP6): serial, firmware and model, as GPMF key-length-values."""

from __future__ import annotations

from typing import Final

_NAMES: Final = {b"CASN": "CameraSerialNumber", b"FMWR": "FirmwareVersion", b"MINF": "Model"}
_MAX_KEYS: Final = 2_000


def read_gopro(body: bytes) -> dict[str, str]:
    """Texts by name.

    Args:
        body: the segment from the first key on.
    """
    found: dict[str, str] = {}
    at = 0
    for _ in range(_MAX_KEYS):
        head = body[at : at + 8]
        if len(head) < 8:  # noqa: PLR2004 (key, type, size, repeat)
            break
        length = head[5] * int.from_bytes(head[6:8], "big")
        name = _NAMES.get(head[:4])
        if name is not None and head[4:5] == b"c":
            text = body[at + 8 : at + 8 + length].split(b"\0", 1)[0].decode("latin-1").strip()
            if text and text.isprintable():
                found.setdefault(name, text)
        at += 8 if head[4] == 0 else 8 + (length + 3) // 4 * 4  # type 0 holds keys: go in
    return found
