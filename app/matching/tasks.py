"""What runs inside the sandbox: a path in, the bytes of a fingerprint out."""

from __future__ import annotations

from pathlib import Path

from app.analysis.sandbox_child import send_part
from app.matching.photo import fingerprint_photo
from app.matching.video import fingerprint_video


def fingerprint_task(path: Path, kind: str) -> bytes:
    """The fingerprint of a photo or a video, as the bytes that are stored and bound to the log."""
    made = fingerprint_video(path, _tell) if kind == "video" else fingerprint_photo(path)
    return made.to_bytes()


def pixels_task(path: Path, most: int) -> tuple[list[int], bytes]:
    """The pixels of a stored preview, no side longer than `most`: `([width, height], RGB bytes)`."""
    from PIL import Image

    with Image.open(path) as image:
        image.draft("RGB", (most, most))
        picture = image.convert("RGB")
        picture.thumbnail((most, most), Image.Resampling.LANCZOS)
        return [picture.width, picture.height], picture.tobytes()


def _tell(done: int, total: int | None) -> None:
    send_part({"done": done, "total": total})
