"""What one confined parser run may use."""

from __future__ import annotations

from dataclasses import dataclass

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
        return Limits(
            memory_bytes=self.memory_bytes,
            cpu_s=max(1, round(self.cpu_s * factor)),
            wall_s=self.wall_s * factor,
            output_bytes=self.output_bytes,
            open_files=self.open_files,
        )
