"""What the report tells besides findings: which bundle, which keys, which times, which witnesses."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

PROVEN, NOT_PROVEN, NEVER_PROVEN = "proven", "not_proven", "cannot_be_proven"
"""Kinds of claims: shown by the checks; could have been shown, and was not; no bundle can show it."""

KINDS = (PROVEN, NOT_PROVEN, NEVER_PROVEN)


_MAX_QUOTED = 300


@dataclass(frozen=True)
class Claim:
    """A sentence for a court file.

    Attributes:
        code: stable; those of limits begin with "limit_".
        text: the sentence.
        kind: one of `KINDS`.
    """

    code: str
    text: str
    kind: str


@dataclass(frozen=True)
class KeyUsed:
    """A key that something in the bundle was signed with.

    Attributes:
        use: "ca", "seal", "log" or "pq" (ML-DSA-44 beside the log's own signature).
        name: of its holder.
        fingerprint: SHA-256 of the certificate in hex; of other keys the verifier key.
        trusted: whether the caller gave this very key.
        history: what the archive's key history says of its use here, or "" where there is none.
    """

    use: str
    name: str
    fingerprint: str
    trusted: bool
    history: str


@dataclass(frozen=True)
class Stamp:
    """A verified time stamp.

    Attributes:
        subject: the file that existed then.
        time: UTC, from the token (genTime).
        authority: subject of the authority's certificate.
        until: when the first certificate that vouches for it expires; a renewal should come before.
        trusted: whether it stands under a root that the caller gave.
        accuracy: how far the true time may be from `time` (RFC 3161, section 2.4.2); None when it is not stated.
        algorithm: digest of what was stamped; of an evidence record, that of its last chain.
        signed_with: digest that the authority signed over; of an evidence record, in its last time stamp.
        digest: SHA-256 of the token, hex; of an evidence record, of its first.
    """

    subject: str
    time: datetime
    authority: str
    until: datetime
    trusted: bool
    accuracy: timedelta | None = None
    algorithm: str = ""
    signed_with: str = ""
    digest: str = ""

    @property
    def before(self) -> datetime:
        """The time that it proves: what it is over existed then, however far the authority's clock was off."""
        try:
            return self.time + (self.accuracy or timedelta())
        except OverflowError:
            return datetime.max.replace(tzinfo=UTC)

    def as_json(self) -> dict[str, str | bool | float | None]:
        """As the report writes it; times are RFC 3339 UTC, the accuracy seconds, null when it is not stated."""
        return {
            "subject": self.subject,
            "time": rfc3339(self.time),
            "accuracy": None if self.accuracy is None else self.accuracy.total_seconds(),
            "existed_before": rfc3339(self.before),
            "authority": self.authority,
            "holds_until": rfc3339(self.until),
            "trusted": self.trusted,
        }


@dataclass(frozen=True)
class WitnessSeen:
    """A verified co-signature of a witness.

    Attributes:
        name: of the witness's key.
        key: the key's ID, hex.
        time: RFC 3339 UTC, claimed by the witness; "no time" where it claims none.
        trusted: whether the caller's policy names it.
    """

    name: str
    key: str
    time: str
    trusted: bool


@dataclass
class Facts:
    """All of these.

    Attributes:
        bundle: identifier, archive and other names of the bundle under test; empty when it has no readable manifest.
    """

    bundle: dict[str, str | int] = field(default_factory=dict)
    keys: list[KeyUsed] = field(default_factory=list)
    stamps: list[Stamp] = field(default_factory=list)
    witnesses: list[WitnessSeen] = field(default_factory=list)


def quoted(text: str) -> str:
    """What a bundle says of itself, inside a sentence of the verifier: it cannot pass for a part of that sentence."""
    inner = text.replace('"', "'")
    return f'"{inner[:_MAX_QUOTED]}..."' if len(inner) > _MAX_QUOTED else f'"{inner}"'


def rfc3339(moment: datetime) -> str:
    """A time as the report writes it: with a fraction of a second where it has one."""
    exact = "microseconds" if moment.microsecond % 1000 else "milliseconds" if moment.microsecond else "seconds"
    return moment.astimezone(UTC).isoformat(timespec=exact).replace("+00:00", "Z")
