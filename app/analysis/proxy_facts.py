"""What a proxy is to be, what it may take, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from app.analysis.proxy_picture import CLOCK
from app.analysis.proxy_sound import RATE

PROXY_TYPE: Final = "video/mp4"
ENCODER: Final = "libx264"
CRF, PRESET, SOUND_BITS = 26, "veryfast", 96_000
MAX_SECONDS: Final = 12 * 3600
MIN_TICKS: Final = 2_700  # frames that follow sooner (above 33 a second) are left out
MOST_BITS, LEAST_BITS = 2_500_000, 300_000  # a second, of pictures
THREADS: Final = 2


@dataclass(frozen=True)
class Budget:
    """What one proxy may take.

    Attributes:
        cpu_s: CPU seconds after which it is brought to its end.
        wall_s: likewise by the clock.
        media_bytes: most bytes of pictures and sound.
    """

    cpu_s: float
    wall_s: float
    media_bytes: int


@dataclass
class ProxyFacts:
    """What came of it; times in milliseconds of the proxy, `origin_ms` to be added for those of the container.

    Attributes:
        claimed_ms: how long the container says that it is; None when it says nothing usable.
        covered_ms: how far pictures and sound go; where pictures end too early, how far they go.
        further_pictures: streams of moving pictures beside the one that is in the proxy.
        further_sound: likewise of sound.
        missing: codes of what is left out or not known; empty when all that the container announces is there.
    """

    width: int = 0
    height: int = 0
    covered_ms: int = 0
    claimed_ms: int | None = None
    origin_ms: int = 0
    frames: int = 0
    frames_left_out: int = 0
    packets_damaged: int = 0
    further_pictures: int = 0
    further_sound: int = 0
    sound: bool = False
    tone_mapped: bool = False
    missing: list[str] = field(default_factory=list)

    def miss(self, code: str) -> None:
        """Note that something is not in the proxy."""
        if code not in self.missing:
            self.missing.append(code)


def parameters() -> dict[str, str | int]:
    """What the encoder is told, as the event records it."""
    return {
        "video": f"H.264 High, yuv420p, CRF {CRF}, preset {PRESET}, no B frames, a key frame every 2 s",
        "sound": f"AAC-LC, {RATE} Hz, stereo, {SOUND_BITS} bit/s",
        "container": "MP4, moov before mdat",
        "most_frames_per_second": CLOCK // MIN_TICKS,
    }
