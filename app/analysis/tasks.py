"""What runs inside the sandbox: a path in, bytes out."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import cast

from app.analysis.extract import inspect_file, to_bytes
from app.analysis.preview import render_preview
from app.analysis.proxy import Budget, parameters, render_proxy, tools
from app.analysis.sandbox_child import send_part
from app.analysis.sandbox_frames import MAX_PART_BODY


def metadata_task(path: Path, original_name: str) -> bytes:
    """The metadata record of a file, as the bytes that are stored and bound to the log."""
    return to_bytes(inspect_file(path, original_name))


def photo_task(path: Path, original_name: str, further: str | None) -> bytes:
    """All that is made of a photo, by one process: each piece is sent ahead as soon as it is there.

    A file of another kind ends after its record. So does nothing else: whoever asks sees what is missing.

    Args:
        path: the file.
        original_name: as it was deposited.
        further: "module:function" of what is made last; called with the path and `photo`, it returns bytes.

    Returns:
        What that function returned, or nothing.
    """
    record = inspect_file(path, original_name)
    _send_ahead("record", to_bytes(record))
    if record.file.kind != "photo":
        return b""
    facts, picture = preview_task(path, "photo")
    _send_ahead("preview", picture, **facts)
    if further is None:
        return b""
    module, _, name = further.partition(":")
    return cast("Callable[[Path, str], bytes]", getattr(importlib.import_module(module), name))(path, "photo")


def _send_ahead(part: str, data: bytes, **facts: object) -> None:
    """In as many parts as it takes; the last one says so, and carries the facts."""
    last = max(0, len(data) - 1) // MAX_PART_BODY
    for number in range(last + 1):
        body = data[number * MAX_PART_BODY : (number + 1) * MAX_PART_BODY]
        send_part({"part": part, "last": number == last, **(facts if number == last else {})}, body)


def preview_task(path: Path, kind: str) -> tuple[dict[str, object], bytes]:
    """A preview picture: `({"media_type", "width", "height"}, bytes)`."""
    preview = render_preview(path, kind)
    return {"media_type": preview.media_type, "width": preview.width, "height": preview.height}, preview.data


def proxy_task(path: Path, budget: Budget) -> tuple[dict[str, object], bytes]:
    """A proxy of a recording; its media bytes go ahead as parts `media`, how far it is as parts `progress`.

    Returns:
        What came of it, with `tool` and `parameters`, and the bytes that belong before the media.
    """

    def progress(done: int, total: int) -> None:
        send_part({"part": "progress", "done": done, "total": total})

    facts, front = render_proxy(path, budget, lambda data: send_part({"part": "media"}, data), progress)
    return {**asdict(facts), "tool": tools(), "parameters": parameters()}, front
