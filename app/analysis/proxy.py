"""A proxy of a recording: H.264 and AAC in MP4, its index in front, each moment at the original's time.

1. A time in the proxy is a time of the original less `origin_ms`: frames keep their own times, none is moved to a grid.
2. What does not decode is left out and counted; whatever is missing makes the proxy `partial`, with its reasons.
3. All is bounded: size of frames, length, CPU and wall time, bytes. Near a bound the proxy ends, whole as a file.
4. The same program makes the same bytes of the same file, as long as no bound of time is reached.

Runs in the sandbox: nothing is written, the file leaves in parts (`proxy_mp4`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from app.analysis.errors import AnalysisError
from app.analysis.probes.filetype import HEAD_BYTES, sniff
from app.analysis.probes.video import DEMUXERS, open_container
from app.analysis.proxy_facts import ENCODER, MAX_SECONDS, PROXY_TYPE, Budget, ProxyFacts, parameters
from app.analysis.proxy_making import Making, Progress
from app.analysis.proxy_mp4 import FrontIndex
from app.analysis.proxy_picture import Veil
from app.analysis.proxy_reading import Look, look_at

__all__ = ["MAX_SECONDS", "PROXY_TYPE", "Budget", "ProxyFacts", "parameters", "render_proxy", "tools"]


def tools() -> str:
    """Names and versions of what makes a proxy."""
    import av

    codec = ".".join(str(part) for part in av.library_versions["libavcodec"])
    return f"PyAV {av.__version__}, FFmpeg {av.ffmpeg_version_info} (libavcodec {codec}), {ENCODER}"


def render_proxy(
    path: Path,
    budget: Budget,
    send: Callable[[bytes], None],
    progress: Progress | None = None,
    veiled: Callable[[Look], Veil] | None = None,
) -> tuple[ProxyFacts, bytes]:
    """Make the proxy of a recording.

    Args:
        path: the original.
        budget: what it may take.
        send: takes the media bytes, in order.
        progress: told (seconds done, seconds that the container claims), at most once a second.
        veiled: gives what hides parts of each frame; there is no sound then.

    Returns:
        The facts, and the bytes that belong before those that were sent.

    Raises:
        AnalysisError: `proxy_unavailable` (no encoder here), `video_unreadable`, `video_too_large`, `no_picture`,
            `proxy_too_large`, `proxy_unfinished`; and what `veiled` raises.
    """
    import av

    with path.open("rb") as stream:
        demuxer = DEMUXERS.get(sniff(stream.read(HEAD_BYTES), path.stat().st_size).format)
    if demuxer is None:
        raise AnalysisError("video_unreadable", "the file is in no format of recordings that is read")
    _require_encoder()
    try:
        look = look_at(path, demuxer)
        veil = None
        if veiled is not None:
            look, veil = replace(look, sound=False), veiled(look)
        output = FrontIndex(send)
        with open_container(path, demuxer) as source, av.open(output, "w", format="mp4", buffer_size=1 << 18) as target:
            facts = Making(look, budget, output, target, progress, veil).make(source)
        return facts, output.front()
    except (AnalysisError, MemoryError):
        raise
    except (OSError, ValueError, EOFError, RuntimeError, IndexError, av.error.FFmpegError) as error:
        # FFmpeg's own words hold the path; the detail is kept for ever.
        raise AnalysisError("video_unreadable", f"no proxy could be made ({type(error).__name__})") from error


def _require_encoder() -> None:
    import av

    for name in (ENCODER, "aac"):
        try:
            av.Codec(name, "w")
        except av.codec.codec.UnknownCodecError:
            raise AnalysisError("proxy_unavailable", f"this installation has no encoder {name}") from None
