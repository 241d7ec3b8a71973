"""Sound of a recording as its proxy has it: AAC, 48 kHz, two channels, each sample at its own time."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from av.audio.frame import AudioFrame
    from av.audio.resampler import AudioResampler
    from numpy.typing import NDArray

RATE = 48_000
BLOCK = 1024  # samples of an AAC frame
SLACK = RATE // 25  # what clocks of recorders wander is let be; 40 ms and more is a gap
_SILENCE = BLOCK * 64


class Sound:
    """Brings decoded sound to an unbroken line of samples: gaps become silence, what overlaps is cut."""

    def __init__(self, most_seconds: float) -> None:
        """Fix the end.

        Args:
            most_seconds: samples after this are left out.
        """
        import numpy as np

        self._form: tuple[object, ...] | None = None
        self._resampler: AudioResampler | None = None
        self._most = int(most_seconds * RATE)
        self._held: NDArray[np.float32] = np.zeros((2, 0), np.float32)
        self._taken = self._given = 0

    @property
    def seconds(self) -> float:
        """How far it has come."""
        return self._taken / RATE

    def feed(self, frame: AudioFrame, at_s: float | None) -> Iterator[AudioFrame]:
        """Take a decoded frame that begins at a time of the proxy; gives whole blocks for the encoder."""
        import numpy as np

        frame.pts = None
        for part in self._resampled(frame):
            samples = np.nan_to_num(np.asarray(part.to_ndarray(), np.float32))
            begins = self._taken if at_s is None else round(at_s * RATE)
            at_s = None
            gap = min(begins, self._most) - self._taken
            while gap > SLACK:
                silence = min(gap, _SILENCE)
                yield from self._take(np.zeros((2, silence), np.float32))
                gap -= silence
            if gap < -SLACK:
                samples = samples[:, -gap:]
            yield from self._take(samples[:, : max(0, self._most - self._taken)])

    def _resampled(self, frame: AudioFrame) -> list[AudioFrame]:
        """Made anew when the form of the sound changes, as it does in damaged files."""
        import av

        form = (frame.format.name, frame.layout.name, frame.sample_rate)
        if self._resampler is None or form != self._form:
            self._resampler = av.AudioResampler(format="fltp", layout="stereo", rate=RATE)
            self._form = form
        return self._resampler.resample(frame)

    def drain(self) -> Iterator[AudioFrame]:
        """The last samples, filled up with silence."""
        import numpy as np

        if self._held.shape[1]:
            yield from self._take(np.zeros((2, -self._held.shape[1] % BLOCK), np.float32))

    def _take(self, samples: NDArray[np.float32]) -> Iterator[AudioFrame]:
        import numpy as np
        from av import AudioFrame

        self._taken += samples.shape[1]
        held = np.concatenate([self._held, samples], axis=1)
        whole = held.shape[1] // BLOCK * BLOCK
        for start in range(0, whole, BLOCK):
            block = np.ascontiguousarray(held[:, start : start + BLOCK])
            frame = AudioFrame.from_ndarray(block, format="fltp", layout="stereo")
            frame.sample_rate, frame.time_base, frame.pts = RATE, Fraction(1, RATE), self._given
            self._given += BLOCK
            yield frame
        self._held = held[:, whole:]
