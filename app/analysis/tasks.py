"""What runs inside the sandbox: a path in, bytes out."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import cast

from app.analysis.asked import Asked
from app.analysis.extract import inspect_file, inspect_with_track
from app.analysis.preview import render_preview
from app.analysis.proxy import Budget, parameters, render_proxy, tools
from app.analysis.record_bytes import to_bytes
from app.analysis.sandbox_child import send_part, send_progress
from app.analysis.sandbox_frames import MAX_PART_BODY
from app.analysis.thumbnail import compare_thumbnail


def metadata_task(path: Path, original_name: str, credentials: Asked | None = None) -> bytes:
    """The metadata record of a file, as the bytes that are stored and bound to the log.

    A part `{"part": "c2pa"}` goes ahead, where that is asked for, before content credentials are read.
    """
    return to_bytes(inspect_file(path, original_name, _announcing(credentials)))


def whole_task(path: Path, original_name: str, credentials: Asked | None = None, further: str | None = None) -> bytes:
    """All that is made of a file by one process: each piece is sent ahead as soon as it is there.

    The parts are `c2pa` (as of `metadata_task`), `track` (the whole track, where there is one), `record`, and of photos
    `preview`. A file of another kind ends after its record; whoever asks sees what is missing.

    Args:
        path: the file.
        original_name: as it was deposited.
        credentials: how content credentials are read.
        further: "module:function" of what is made of a photo last; called with the path and `photo`, it returns bytes.

    Returns:
        What that function returned, or nothing.
    """
    record, track = inspect_with_track(path, original_name, _announcing(credentials))
    if track is not None:
        _send_ahead("track", track)
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


def _announcing(credentials: Asked | None) -> Asked:
    asked = credentials or Asked()
    return replace(asked, before=lambda: send_part({"part": "c2pa"})) if asked.announce else asked


def preview_task(path: Path, kind: str) -> tuple[dict[str, object], bytes]:
    """A preview picture: `({"media_type", "width", "height"}, bytes)`; of a photo, with `thumbnail` beside them."""
    preview = render_preview(path, kind)
    facts = {"media_type": preview.media_type, "width": preview.width, "height": preview.height}
    if kind != "photo":
        return facts, preview.data
    # Here, where the pixels are decoded anyway: the record's own reader decodes none.
    return {**facts, "thumbnail": compare_thumbnail(path, preview.data).model_dump(mode="json")}, preview.data


def proxy_task(path: Path, budget: Budget) -> tuple[dict[str, object], bytes]:
    """A proxy of a recording; its media bytes go ahead as parts `media`, how far it is as parts `progress`.

    Returns:
        What came of it, with `tool` and `parameters`, and the bytes that belong before the media.
    """
    facts, front = render_proxy(path, budget, lambda data: send_part({"part": "media"}, data), send_progress)
    return {**asdict(facts), "tool": tools(), "parameters": parameters()}, front
