"""The files of the bundle under test: digests measured once, small files read against those digests."""

from __future__ import annotations

from collections.abc import Iterator

from evidence_store.digests import DigestComputer, Digests, digest_stream
from evidence_store.verify.container import Container
from evidence_store.verify.report import Report

MAX_SMALL_FILE = 1 << 20
"""Largest file that is read whole (keys, bag-info.txt, the seal), in bytes."""

MAX_RECORD = 64 << 10
"""Largest proof, checkpoint, time-stamp token or receipt, in bytes."""

MAX_SEAL = 256 << 10
"""Largest seal with its time stamps, in bytes."""


class BundleFiles:
    """Measures every file of a container, and gives the bytes that were measured."""

    def __init__(self, container: Container, report: Report) -> None:
        self._container = container
        self._report = report
        self._missing: set[str] = set()
        self.digests: dict[str, Digests] = {}

    def measure(self) -> None:
        """Read every file once, a chunk at a time."""
        for path in self._container.paths():
            try:
                measured = digest_stream(self._container.chunks(path))
            except OSError as error:
                self._report.finding("file_unreadable", path, str(error))
                continue
            self.digests[path] = measured
            self._report.count("files")
            self._report.count("bytes", measured.size)
            declared = self._container.declared_crc32(path)
            if declared is not None and declared != measured.crc32:
                self._report.finding("zip_crc_mismatch", path, f"{measured.crc32:08x} instead of {declared:08x}.")

    def missing(self, path: str, needed_by: str) -> None:
        """Report an absent file, once however many lists name it."""
        if path not in self._missing:
            self._missing.add(path)
            self._report.finding("file_missing", path, f"Needed by {needed_by}.")

    def read(self, path: str, needed_by: str, limit: int | None = None) -> bytes | None:
        """Give a small file's bytes, the same ones that were measured.

        Args:
            path: in the bundle.
            needed_by: what the finding says when the file is not here.
            limit: largest size in bytes; None for `MAX_SMALL_FILE`.

        Returns:
            The bytes, or None after a finding.
        """
        measured = self.digests.get(path)
        if measured is None:
            self.missing(path, needed_by)
            return None
        largest = MAX_SMALL_FILE if limit is None else limit
        if measured.size > largest:
            self._report.finding("file_too_large", path, f"{measured.size} bytes, the limit is {largest}.")
            return None
        try:
            data = b"".join(self._again(path))
        except OSError as error:
            self._report.finding("file_unreadable", path, str(error))
            return None
        if digest_stream((data,)) != measured:
            self._changed(path)
            return None
        return data

    def peek(self, path: str, limit: int) -> bytes | None:
        """The same bytes as `read`, or None; what is wrong is for `read` to report."""
        measured = self.digests.get(path)
        if measured is None or measured.size > limit:
            return None
        try:
            data = b"".join(self._again(path))
        except OSError:
            return None
        return data if digest_stream((data,)) == measured else None

    def lines(self, path: str, longest: int, *, quiet: bool = False) -> Iterator[bytes]:
        """Yield a measured file's lines without their ends; of a longer line, its first `longest` + 1 bytes.

        After the last line, bytes that are not those that were measured are reported; also a last line without an end,
        unless `quiet`.
        """
        computer = DigestComputer()
        line = b""
        for chunk in self._again(path):
            computer.update(chunk)
            *whole, rest = chunk.split(b"\n")
            for part in whole:
                yield (line + part)[: longest + 1]
                line = b""
            line = (line + rest)[: longest + 1]
        if line:
            if not quiet:
                self._report.finding("line_not_ended", path, "Its last line has no line end.")
            yield line
        if computer.result() != self.digests[path]:
            self._changed(path)

    def _again(self, path: str) -> Iterator[bytes]:
        """The file's bytes once more; never more than were measured, should the file grow meanwhile."""
        left = self.digests[path].size
        for chunk in self._container.chunks(path):
            yield chunk[:left]
            left -= len(chunk)
            if left <= 0:
                return

    def _changed(self, path: str) -> None:
        self._report.finding("file_changed", path, "Let nothing else write to the bundle, and check it again.")
