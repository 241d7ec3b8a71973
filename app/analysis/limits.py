"""What one confined parser run may use."""

from __future__ import annotations

from dataclasses import dataclass, replace

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True)
class Limits:
    """Ceilings of one run; the defaults suit a photo or a short video.

    Attributes:
        memory_bytes: address space (RLIMIT_AS).
        cpu_s: CPU seconds (RLIMIT_CPU).
        wall_s: seconds until the whole process group is killed.
        output_bytes: most that the run may answer.
        open_files: open file descriptors (RLIMIT_NOFILE).
    """

    memory_bytes: int = 1500 * MEBIBYTE
    cpu_s: int = 10
    wall_s: float = 30.0
    output_bytes: int = 16 * MEBIBYTE
    open_files: int = 32

    def scaled(self, factor: float) -> Limits:
        """The same with more time, for long recordings; memory and output stay."""
        return replace(self, cpu_s=max(1, round(self.cpu_s * factor)), wall_s=self.wall_s * factor)

    def within(self, wall_s: float) -> Limits:
        """The same, over after so many seconds at the latest; at least two are left."""
        return replace(self, wall_s=min(self.wall_s, max(2.0, wall_s)))

    def patient(self, times: int) -> Limits:
        """The same with so many times the wall-clock time: CPU is the file's, the clock may be the machine's fault."""
        return replace(self, wall_s=self.wall_s * times)


# A small file gets seconds whatever it claims to hold: 8 s of CPU and 13 s in all to be read and drawn, as much to be
# fingerprinted. What it may take beyond that, it must bring along in bytes.
SMALL = Limits(cpu_s=8, wall_s=13.0)
_READING_PER_SECOND = 4 * MEBIBYTE
_MOST_READING = 600
_VIDEO_CPU_PER_MEBIBYTE = 60
_MOST_VIDEO_CPU, _MOST_VIDEO_WALL = 5400, 7200.0


def for_reading(size: int) -> Limits:
    """For metadata and preview of a file of so many bytes; telemetry of long recordings is read to its end."""
    more = min(_MOST_READING, size // _READING_PER_SECOND)
    return replace(SMALL, cpu_s=SMALL.cpu_s + more, wall_s=SMALL.wall_s + 2.0 * more)


def for_decoding(size: int) -> Limits:
    """For going through all pictures of a recording: an hour of a still scene may be a few MiB, but not a few KiB."""
    cpu_s = min(_MOST_VIDEO_CPU, SMALL.cpu_s + _VIDEO_CPU_PER_MEBIBYTE * size // MEBIBYTE)
    return replace(SMALL, cpu_s=cpu_s, wall_s=min(_MOST_VIDEO_WALL, SMALL.wall_s + 2.0 * (cpu_s - SMALL.cpu_s)))
