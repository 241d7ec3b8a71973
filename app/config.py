"""Settings of one archive: where it lives, who it is, and its limits.

Everything has a default that works on one machine; the environment overrides. Secrets are read
from the environment, a file or a prompt, never from the settings file.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path

from app.errors import CatenaError, EnvironmentFailedError

IDENTITY_FILE = "archive.json"
DATABASE_CONNECTIONS = 80  # of the 100 that PostgreSQL allows by default: the rest is for other processes
GIB = 1024**3
MIB = 1024**2


@dataclass(frozen=True, slots=True)
class ArchiveIdentity:
    """Who this archive is, as every event, receipt and bundle names it.

    Attributes:
        id: UUID text, made once by `catena init`.
        org: the organisation that answers for the archive.
        log: origin line of the custody log (C2SP tlog-checkpoint).
        created_at: RFC 3339 UTC.
    """

    id: str
    org: str
    log: str
    created_at: str

    def as_json(self) -> dict[str, str]:
        """The three names that signed documents carry."""
        return {"id": self.id, "org": self.org, "log": self.log}


@dataclass(frozen=True, slots=True)
class Settings:
    """Where things are and how much is allowed.

    Attributes:
        data: the data folder.
        database_url: SQLAlchemy URL; SQLite inside the data folder by default.
        database_connections: to PostgreSQL, at most, by one process.
        max_upload_bytes: largest single file that is accepted.
        disk_reserve_bytes: free space that uploads may not eat.
        lease_seconds: how long a worker may be silent before its job is taken over.
        token_days: default life of an access token.
        head_copy: a second place for the last checkpoint, best on another disk; None for none.
        timestamp_seconds: a checkpoint is time-stamped at most this often, exports apart.
        timestamp_receipts: whether each deposit receipt gets a time stamp of its own.
        audit_hours: how often the server audits the archive by itself; 0 for never.
        user_quota_bytes: how much each user may deposit unless a decision says otherwise; 0 for no limit.
        bodies_per_user: files that one user may be sending at once.
        bodies_at_once: files that all users may be sending at once.
        open_uploads_per_user: resumable uploads that one user may leave unfinished.
        upload_hours: how long an unfinished upload is kept after its last byte.
        failures_per_minute: refused tokens that one address may present in a minute; 0 for no limit.
        sandbox: `require`: no file is parsed without rlimits, Landlock and seccomp; `prefer`: with what there is.
        exiftool: `off`, `auto` (where it is installed) or a path: whether exiftool gives a second opinion on metadata.
        trusted_proxies: addresses or networks whose X-Forwarded-For is believed.
        c2pa_trust: PEM roots and intermediates under which signers of content credentials are trusted; None for nobody.
        c2pa_allowed: PEM certificates of signers that are trusted by themselves.
    """

    data: Path
    database_url: str
    max_upload_bytes: int
    disk_reserve_bytes: int
    lease_seconds: float
    token_days: int
    head_copy: Path | None = None
    timestamp_seconds: int = 60
    timestamp_receipts: bool = True
    audit_hours: int = 0
    user_quota_bytes: int = 0
    bodies_per_user: int = 8
    bodies_at_once: int = 32
    open_uploads_per_user: int = 1000
    failures_per_minute: int = 20
    trusted_proxies: tuple[str, ...] = ()
    upload_hours: int = 7 * 24
    sandbox: str = "prefer"
    exiftool: str = "off"
    database_connections: int = DATABASE_CONNECTIONS
    c2pa_trust: Path | None = None
    c2pa_allowed: Path | None = None

    @property
    def blobs(self) -> Path:
        """Root of the blob store."""
        return self.data / "blobs"

    @property
    def uploads(self) -> Path:
        """Bytes of unfinished uploads; inside the blob store's root, so always on its file system."""
        return self.blobs / "uploads"

    @property
    def keys(self) -> Path:
        """Folder of keys and certificates."""
        return self.data / "keys"

    @property
    def exports(self) -> Path:
        """Folder of finished bundles."""
        return self.data / "exports"

    @property
    def audits(self) -> Path:
        """Folder of the audits' signed reports."""
        return self.data / "audits"

    @property
    def head_file(self) -> Path:
        """The last checkpoint, kept outside the database."""
        return self.data / "head" / "checkpoint"

    @property
    def tsas(self) -> Path:
        """Folder of the time-stamping authorities: NAME.json (where it is) and NAME.pem (whom it is trusted under)."""
        return self.data / "tsa"

    @property
    def witness_policy(self) -> Path:
        """Which witnesses are asked, and how many must have co-signed (C2SP tlog-policy)."""
        return self.data / "witnesses.policy"

    @property
    def renewals(self) -> Path:
        """Folder of renewals, one folder each."""
        return self.data / "renewals"


def load_settings(data: Path | None = None) -> Settings:
    """Settings from the environment.

    Args:
        data: the data folder; else `CATENA_DATA`, else `./catena-data`.

    Raises:
        CatenaError: `bad_setting` when a number is not one.
    """
    folder = (data or Path(os.environ.get("CATENA_DATA", "catena-data"))).resolve()
    default_url = f"sqlite:///{folder / 'catena.db'}"
    return Settings(
        data=folder,
        database_url=os.environ.get("CATENA_DATABASE_URL", default_url),
        max_upload_bytes=_whole("CATENA_MAX_UPLOAD_BYTES", 64 * GIB),
        disk_reserve_bytes=_whole("CATENA_DISK_RESERVE_BYTES", 64 * MIB),
        lease_seconds=float(_whole("CATENA_LEASE_SECONDS", 15)),
        token_days=_whole("CATENA_TOKEN_DAYS", 30),
        head_copy=_path("CATENA_HEAD_COPY"),
        timestamp_seconds=_whole("CATENA_TIMESTAMP_SECONDS", 60),
        timestamp_receipts=_whole("CATENA_TIMESTAMP_RECEIPTS", 1) != 0,
        audit_hours=_whole("CATENA_AUDIT_HOURS", 0),
        user_quota_bytes=_whole("CATENA_USER_QUOTA_BYTES", 0),
        bodies_per_user=_whole("CATENA_BODIES_PER_USER", 8),
        bodies_at_once=_whole("CATENA_BODIES_AT_ONCE", 32),
        open_uploads_per_user=_whole("CATENA_OPEN_UPLOADS_PER_USER", 1000),
        upload_hours=_whole("CATENA_UPLOAD_HOURS", 7 * 24),
        failures_per_minute=_whole("CATENA_FAILURES_PER_MINUTE", 20),
        trusted_proxies=_networks("CATENA_TRUSTED_PROXIES"),
        database_connections=_whole("CATENA_DATABASE_CONNECTIONS", DATABASE_CONNECTIONS),
        sandbox=_choice("CATENA_SANDBOX", ("prefer", "require")),
        c2pa_trust=_path("CATENA_C2PA_TRUST"),
        c2pa_allowed=_path("CATENA_C2PA_ALLOWED"),
        exiftool=os.environ.get("CATENA_EXIFTOOL", "").strip() or "off",
    )


def _path(name: str) -> Path | None:
    """A path, if one is given."""
    return Path(given).resolve() if (given := os.environ.get(name)) else None


def _networks(name: str) -> tuple[str, ...]:
    """Addresses and networks, separated by commas."""
    given = [part.strip() for part in os.environ.get(name, "").split(",") if part.strip()]
    try:
        return tuple(str(ip_network(part)) for part in given)
    except ValueError:
        raise CatenaError("bad_setting", f"{name} must be addresses or networks, separated by commas") from None


def _choice(name: str, choices: tuple[str, ...]) -> str:
    """One of these words; the first when none is given."""
    given = os.environ.get(name, choices[0]).strip()
    if given not in choices:
        raise CatenaError("bad_setting", f"{name} must be one of: {', '.join(choices)}")
    return given


def _whole(name: str, default: int) -> int:
    text = os.environ.get(name)
    if text is None:
        return default
    try:
        value = int(text)
    except ValueError:
        raise CatenaError("bad_setting", f"{name} must be a whole number") from None
    if value < 0:
        raise CatenaError("bad_setting", f"{name} must not be negative")
    return value


def load_identity(settings: Settings) -> ArchiveIdentity:
    """Read who the archive is.

    Raises:
        EnvironmentFailedError: `no_archive` when there is none, `archive_damaged` when it cannot be read.
    """
    path = settings.data / IDENTITY_FILE
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        return ArchiveIdentity(
            id=str(record["id"]), org=str(record["org"]), log=str(record["log"]), created_at=str(record["created_at"])
        )
    except FileNotFoundError:
        raise EnvironmentFailedError("no_archive", f"no archive in {settings.data}: run 'catena init' first") from None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise EnvironmentFailedError("archive_damaged", f"{path} cannot be read") from None
