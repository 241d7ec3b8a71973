"""What runs inside the sandbox: a path in, bytes out."""

from __future__ import annotations

from pathlib import Path

from app.analysis.extract import inspect_file, to_bytes
from app.analysis.preview import render_preview


def metadata_task(path: Path, original_name: str) -> bytes:
    """The metadata record of a file, as the bytes that are stored and bound to the log."""
    return to_bytes(inspect_file(path, original_name))


def preview_task(path: Path, kind: str) -> tuple[dict[str, object], bytes]:
    """A preview picture: `({"media_type", "width", "height"}, bytes)`."""
    preview = render_preview(path, kind)
    return {"media_type": preview.media_type, "width": preview.width, "height": preview.height}, preview.data
