"""What runs inside the sandbox: a path in, bytes out."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

from app.analysis.credentials import Asked
from app.analysis.extract import inspect_file, inspect_with_track, to_bytes
from app.analysis.preview import render_preview
from app.analysis.proxy import Budget, parameters, render_proxy, tools
from app.analysis.sandbox_child import send_part
from app.analysis.thumbnail import compare_thumbnail

_PART = 1024 * 1024


def metadata_task(path: Path, original_name: str, credentials: Asked | None = None) -> bytes:
    """The metadata record of a file, as the bytes that are stored and bound to the log.

    A part `{"part": "c2pa"}` goes ahead, where that is asked for, before content credentials are read.
    """
    return to_bytes(inspect_file(path, original_name, _announcing(credentials)))


def metadata_and_track_task(path: Path, original_name: str, credentials: Asked | None = None) -> bytes:
    """As `metadata_task`; the whole track, where there is one, goes ahead as parts `track`."""
    record, track = inspect_with_track(path, original_name, _announcing(credentials))
    if track is not None:
        for at in range(0, len(track), _PART):
            send_part({"part": "track"}, track[at : at + _PART])
    return to_bytes(record)


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

    def progress(done: int, total: int) -> None:
        send_part({"part": "progress", "done": done, "total": total})

    facts, front = render_proxy(path, budget, lambda data: send_part({"part": "media"}, data), progress)
    return {**asdict(facts), "tool": tools(), "parameters": parameters()}, front
