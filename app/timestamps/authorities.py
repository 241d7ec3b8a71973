"""Which authorities are asked for time, and whom their tokens are trusted under: two files for each in one folder.

NAME.json says where the authority is and since when it is asked; NAME.pem whom its tokens are trusted under. One that
was removed leaves its NAME.pem, so that tokens it gave can still be verified. Neither file counts for more than the log
says (app.timestamps.recorded): what the log does not name is refused as `timestamp_authority_altered`.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from app.errors import CatenaError, ConflictError, EnvironmentFailedError, InvalidInputError, NotFoundError
from app.timestamps.recorded import ALTERED, Recorded
from evidence_store.durable import coded_errors, fsync_directory, make_directories, replace_file
from evidence_store.errors import EvidenceStoreError
from evidence_store.locks import locked
from evidence_store.timestamps.roots import TimeRoots, parse_roots

log = logging.getLogger("catena.timestamps")

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?", re.ASCII)
_MAX_URL = 500


@dataclass(frozen=True, slots=True)
class Authority:
    """A time-stamping authority.

    Attributes:
        name: lower case letters, digits and hyphens; names files in bundles.
        url: where it takes requests (RFC 3161, section 3.4).
        added_at: RFC 3339 UTC; what was made before is not expected to be stamped.
        trust: whom its tokens are trusted under.
    """

    name: str
    url: str
    added_at: str
    trust: TimeRoots


@dataclass(frozen=True, slots=True)
class Configured:
    """What the folder holds, judged by one reading of the log.

    Attributes:
        usable: those that are asked, by name.
        unusable: why another one cannot be asked, `code: detail`, by its name.
    """

    usable: list[Authority]
    unusable: dict[str, str]

    @property
    def why_none(self) -> str | None:
        """Why nobody can be asked though somebody should be; None when somebody can, or nobody should."""
        if self.usable or not self.unusable:
            return None
        reasons = "; ".join(f"{name}: {why}" for name, why in self.unusable.items())
        return f"none of the time-stamping authorities can be asked: {reasons}"


class Authorities:
    """The folder of authorities; read anew each time, so that every process sees a change at once."""

    def __init__(self, folder: Path, recorded: Callable[[], Mapping[str, Recorded]]) -> None:
        """Name the folder, which need not be there yet, and where to learn what the log says of authorities."""
        self._folder = folder
        self._recorded = recorded
        self._read: dict[str, tuple[tuple[int, int], TimeRoots]] = {}
        self._told: dict[str, str] = {}

    def as_said_by(self, recorded: Callable[[], Mapping[str, Recorded]]) -> Authorities:
        """The same folder, against what another reading of the log says."""
        return Authorities(self._folder, recorded)

    def recorded(self) -> Mapping[str, Recorded]:
        """What the log says of each authority that there ever was, by name."""
        return self._recorded()

    def names(self) -> list[str]:
        """Names of those that are asked, sorted."""
        with coded_errors("read the folder of time-stamping authorities"):
            if not self._folder.is_dir():
                return []
            return sorted(path.stem for path in self._folder.glob("*.json") if _NAME.fullmatch(path.stem))

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Hold the folder alone (flock), so that of two changes the second sees all that the first did.

        Raises:
            EvidenceStoreError: the folder cannot be made or locked.
        """
        make_directories(self._folder, 0o700)
        with locked(self._folder, "lock the folder of time-stamping authorities", folder=True):
            yield

    def all(self) -> Configured:
        """Those that are asked; one whose removal is in the log is not, though its file be left.

        One that was spoilt, or that the log does not name, keeps nobody from asking the others. It is logged when it is
        found so, and told by name.

        Raises:
            EnvironmentFailedError: `timestamp_authority_altered` when the log's own events cannot be read.
            EvidenceStoreError: the folder cannot be read.
        """
        recorded = self._recorded()
        found = Configured([], {})
        for name in self.names():
            if name in recorded and not recorded[name].asked:
                continue
            try:
                found.usable.append(self._judged(name, recorded))
            except (CatenaError, EvidenceStoreError) as error:
                found.unusable[name] = str(error)
        for name, why in found.unusable.items():
            if self._told.get(name) != why:
                log.warning("%s is not asked for time, run 'catena audit': %s", name, why)
        self._told = found.unusable
        return found

    def get(self, name: str) -> Authority:
        """One that is asked.

        Raises:
            NotFoundError: `unknown_tsa`.
            EnvironmentFailedError: `tsa_damaged`; `timestamp_authority_altered` when it is not as the log says.
            EvidenceStoreError: `tsa_roots_malformed`.
        """
        return self._judged(name, self._recorded())

    def _judged(self, name: str, said: Mapping[str, Recorded]) -> Authority:
        try:
            record = json.loads((self._folder / f"{check_name(name)}.json").read_text(encoding="utf-8"))
            url, added_at = str(record["url"]), str(record.get("added_at", ""))
        except FileNotFoundError:
            raise NotFoundError("unknown_tsa", f"no time-stamping authority is called {name!r} here") from None
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise EnvironmentFailedError("tsa_damaged", f"{name}.json of the authorities cannot be read") from None
        trust = self.trust(name, said)
        if trust is None:
            raise EnvironmentFailedError("tsa_damaged", f"{name}.pem of the authorities is gone")
        recorded = said.get(name)
        if recorded is None or not recorded.asked:
            raise EnvironmentFailedError(ALTERED, f"{name}.json is here, and the log says that {name} is not asked")
        if recorded.url != public_url(url):
            raise EnvironmentFailedError(ALTERED, f"{name}.json gives another address than the log")
        return Authority(name, url, added_at, trust)

    def trust(self, name: str, said: Mapping[str, Recorded] | None = None) -> TimeRoots | None:
        """Whom tokens of an authority are trusted under, also of one that was removed; None when it is not known.

        Args:
            name: of the authority.
            said: what `recorded` gave, for who asks for several at once; None to read it now.

        Raises:
            EnvironmentFailedError: `timestamp_authority_altered` when the log names other certificates, or none;
                `tsa_damaged`.
            EvidenceStoreError: `tsa_roots_malformed`.
        """
        if not _NAME.fullmatch(name):
            return None
        path = self._folder / f"{name}.pem"
        try:
            facts = path.stat()
            mark = facts.st_mtime_ns, facts.st_size
            kept = self._read.get(name)
            if kept is None or kept[0] != mark:
                kept = self._read[name] = mark, parse_roots(path.read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise EnvironmentFailedError("tsa_damaged", f"{name}.pem: {error.strerror}") from None
        recorded = (self._recorded() if said is None else said).get(name)
        if recorded is None or not recorded.names(kept[1]):
            raise EnvironmentFailedError(ALTERED, f"{name}.pem holds other certificates than the log names")
        return kept[1]

    def pem(self, name: str) -> bytes:
        """What `trust` reads, as bundles carry it: these certificates, roots first, and nothing beside them.

        Raises:
            NotFoundError: `unknown_tsa`.
            CatenaError: as `trust`.
        """
        trust = self.trust(check_name(name))
        if trust is None:
            raise NotFoundError("unknown_tsa", f"no time-stamping authority is called {name!r} here")
        return b"".join(each.public_bytes(Encoding.PEM) for each in (*trust.roots, *trust.intermediates))

    def check_new(self, name: str, url: str, pem: bytes) -> TimeRoots:
        """Whether an authority can be added.

        Raises:
            InvalidInputError: `bad_tsa_name`, `bad_tsa_url`.
            ConflictError: `tsa_name_taken`.
            EvidenceStoreError: `tsa_roots_malformed`.
        """
        check_url(url)
        trust = parse_roots(pem)
        if (self._folder / f"{check_name(name)}.json").exists():
            raise ConflictError("tsa_name_taken", f"there is already an authority called {name}")
        recorded = self._recorded().get(name)
        if recorded is not None and not recorded.names(trust):
            raise ConflictError(
                "tsa_name_taken", f"tokens of an earlier authority called {name} are trusted under other roots"
            )
        return trust

    def add(self, name: str, url: str, pem: bytes, now: str) -> Authority:
        """Write both files, roots first: an authority is there when its NAME.json is.

        Raises:
            CatenaError: as `check_new`.
        """
        trust = self.check_new(name, url, pem)
        make_directories(self._folder, 0o700)
        replace_file(self._folder / f"{name}.pem", pem, 0o644)
        record = json.dumps({"added_at": now, "url": url}, sort_keys=True, indent=1)
        replace_file(self._folder / f"{name}.json", record.encode() + b"\n", 0o600)  # a URL may hold a password
        return Authority(name, url, now, trust)

    def remove(self, name: str) -> None:
        """Ask no more; what it is trusted under stays.

        Raises:
            NotFoundError: `unknown_tsa`.
        """
        path = self._folder / f"{check_name(name)}.json"
        if not path.exists():
            raise NotFoundError("unknown_tsa", f"no time-stamping authority is called {name!r} here")
        with coded_errors("remove an authority"):
            path.unlink()
        fsync_directory(self._folder)


def check_name(name: str) -> str:
    """A name that can stand in file names.

    Raises:
        InvalidInputError: `bad_tsa_name`.
    """
    if not _NAME.fullmatch(name):
        detail = "an authority's name is 1 to 32 lower case letters, digits and hyphens, no hyphen at either end"
        raise InvalidInputError("bad_tsa_name", detail)
    return name


def check_url(url: str) -> str:
    """An address that can be asked. Plain HTTP will do: a token proves itself, and hides nothing.

    Raises:
        InvalidInputError: `bad_tsa_url`.
    """
    import httpx

    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, ValueError, TypeError):
        parsed = httpx.URL("")
    if len(url) > _MAX_URL or not url.isprintable() or parsed.scheme not in {"http", "https"} or not parsed.host:
        raise InvalidInputError("bad_tsa_url", "an authority's address is an http or https URL")
    return url


def public_url(url: str) -> str:
    """The address without a password that may stand in it, nor a query."""
    import httpx

    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, ValueError):
        return ""
    return str(parsed.copy_with(username=None, password=None, query=None, fragment=None))
