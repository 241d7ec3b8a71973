"""Witness policies: which logs and witnesses are known, and whose co-signatures together are enough.

Rules (C2SP tlog-policy):

1. The text is lines of words, separated by spaces and tabs; empty lines and lines beginning with "#" say
   nothing. No control character other than tab and newline; the last line ends in a newline too.
2. "log VKEY [URL]": a log, by its Ed25519 key (0x01), or by its ML-DSA-44 key (0x06).
3. "witness NAME VKEY [URL]": a witness (0x04 or 0x06). One public key stands for one witness.
4. "group NAME all|any|K MEMBER...": met when that many members are; a member is a witness or a group of an
   earlier line, and belongs to one group at most.
5. "quorum NAME": exactly one line; a witness or group of an earlier line, or "none", which is always met.

The offline verifier imports this module: standard library and `cryptography` only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NoReturn

from evidence_store.errors import EvidenceStoreError
from evidence_store.log.cosignature import ED25519_COSIGNER, CosignerKey, parse_cosigner_vkey
from evidence_store.log.note import VerifierKey, parse_vkey

MAX_POLICY_BYTES: Final = 1_000_000
NO_QUORUM: Final = "none"

_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_BLANKS: Final = re.compile(r"[ \t]+")
_COUNT: Final = re.compile(r"[1-9][0-9]{0,5}", re.ASCII)
_MIN_GROUP: Final = 3  # name, threshold, one member


@dataclass(frozen=True, slots=True)
class Log:
    """A log of a policy (rule 2).

    Attributes:
        key: its key; the key's name is the log's origin.
        url: as written, or None.
    """

    key: VerifierKey | CosignerKey
    url: str | None


@dataclass(frozen=True, slots=True)
class Witness:
    """A witness of a policy (rule 3).

    Attributes:
        name: inside the policy; the co-signer's own name is `key.name`.
        key: its key.
        url: submission prefix (C2SP tlog-witness), or None.
    """

    name: str
    key: CosignerKey
    url: str | None


@dataclass(frozen=True, slots=True)
class Group:
    """A group of a policy (rule 4).

    Attributes:
        name: inside the policy.
        needed: how many members, 1 to `len(members)`.
        members: names of witnesses or groups.
    """

    name: str
    needed: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """A parsed policy.

    Attributes:
        logs: in the order of the text.
        witnesses: by name.
        groups: by name.
        quorum: name of a witness or group, or "none".
    """

    logs: tuple[Log, ...]
    witnesses: dict[str, Witness]
    groups: dict[str, Group]
    quorum: str

    @property
    def keys(self) -> list[CosignerKey]:
        """The keys of all witnesses, for `verify_cosignatures`."""
        return [witness.key for witness in self.witnesses.values()]

    def satisfied(self, keys: Iterable[CosignerKey]) -> bool:
        """Whether co-signatures of these keys, all verified by the caller, meet the quorum."""
        signed = set(keys)
        met = {NO_QUORUM} | {name for name, witness in self.witnesses.items() if witness.key in signed}
        for group in self.groups.values():  # members stand before their group (rule 4)
            if sum(member in met for member in group.members) >= group.needed:
                met.add(group.name)
        return self.quorum in met


def parse_policy(text: str) -> Policy:
    """Read a policy.

    Raises:
        EvidenceStoreError: `policy_form`, with the number of the line; `vkey_form` for a bad key.
    """
    reader = _Reader()
    if len(text) > MAX_POLICY_BYTES:
        _fails(0, "the policy is too large")
    if text and not text.endswith("\n"):
        _fails(text.count("\n") + 1, "the last line does not end in a newline")
    for number, line in enumerate(text.split("\n"), 1):
        if _CONTROLS.search(line):
            _fails(number, "a control character")
        words = [word for word in _BLANKS.split(line) if word]
        if words and not words[0].startswith("#"):
            reader.read(number, words)
    return reader.policy()


def decode_policy(data: bytes) -> str:
    """The text of a policy file; other encodings than UTF-8 are refused, so that names can be shown.

    Raises:
        EvidenceStoreError: `policy_form`.
    """
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        _fails(0, "the text is not UTF-8")


class _Reader:
    """The policy so far."""

    def __init__(self) -> None:
        self._logs: list[Log] = []
        self._witnesses: dict[str, Witness] = {}
        self._groups: dict[str, Group] = {}
        self._members: set[str] = set()
        self._quorum: str | None = None

    def read(self, number: int, words: list[str]) -> None:
        keyword, *rest = words
        readers = {"log": self._log, "witness": self._witness, "group": self._group, "quorum": self._read_quorum}
        if keyword not in readers:
            _fails(number, "a line is log, witness, group or quorum")
        try:
            readers[keyword](number, rest)
        except EvidenceStoreError as error:
            if error.code == "policy_form":
                raise
            raise EvidenceStoreError(error.code, f"policy, line {number}: {error.detail}") from None

    def policy(self) -> Policy:
        if self._quorum is None:
            _fails(0, "no line names the quorum")
        return Policy(tuple(self._logs), self._witnesses, self._groups, self._quorum)

    def _log(self, number: int, words: list[str]) -> None:
        if len(words) not in {1, 2}:
            _fails(number, "a log has a key and perhaps a URL")
        key = parse_log_vkey(words[0])
        if any(log.key.public_key == key.public_key for log in self._logs):
            _fails(number, "the log's key stands there twice")
        self._logs.append(Log(key, words[1] if len(words) > 1 else None))

    def _witness(self, number: int, words: list[str]) -> None:
        if len(words) not in {2, 3}:
            _fails(number, "a witness has a name, a key and perhaps a URL")
        name = self._new_name(number, words[0])
        key = parse_cosigner_vkey(words[1])
        if any(witness.key.public_key == key.public_key for witness in self._witnesses.values()):
            _fails(number, "the witness's key stands there twice")
        self._witnesses[name] = Witness(name, key, words[2] if len(words) > 2 else None)  # noqa: PLR2004 - rule 3

    def _group(self, number: int, words: list[str]) -> None:
        if len(words) < _MIN_GROUP:
            _fails(number, "a group has a name, all, any or a number, and members")
        name, needed, *members = words
        self._new_name(number, name)
        for member in members:
            if member not in self._witnesses and member not in self._groups:
                _fails(number, "a member is no witness or group of an earlier line")
            if member in self._members:
                _fails(number, "a member belongs to a group already")
            self._members.add(member)
        self._groups[name] = Group(name, _threshold(number, needed, len(members)), tuple(members))

    def _read_quorum(self, number: int, words: list[str]) -> None:
        if len(words) != 1:
            _fails(number, "a quorum is one name")
        if self._quorum is not None:
            _fails(number, "a second quorum")
        if words[0] != NO_QUORUM and words[0] not in self._witnesses and words[0] not in self._groups:
            _fails(number, "the quorum is no witness or group of an earlier line")
        self._quorum = words[0]

    def _new_name(self, number: int, name: str) -> str:
        if name == NO_QUORUM or name in self._witnesses or name in self._groups:
            _fails(number, "the name is taken")
        return name


def parse_log_vkey(text: str) -> VerifierKey | CosignerKey:
    """A log's key, Ed25519 (0x01) or ML-DSA-44 (0x06).

    Raises:
        EvidenceStoreError: `vkey_form`, also for 0x04: an Ed25519 co-signer's key is no log's key.
    """
    try:
        key = parse_cosigner_vkey(text)
    except EvidenceStoreError:
        return parse_vkey(text)
    if key.algorithm == ED25519_COSIGNER:
        raise EvidenceStoreError("vkey_form", "a co-signer's Ed25519 key (0x04) is no log's key")
    return key


def _threshold(number: int, needed: str, members: int) -> int:
    if needed == "all":
        return members
    if needed == "any":
        return 1
    if not _COUNT.fullmatch(needed) or int(needed) > members:
        _fails(number, "the threshold is all, any or a number from 1 to the number of members")
    return int(needed)


def _fails(number: int, why: str) -> NoReturn:
    raise EvidenceStoreError("policy_form", f"policy, line {number}: {why}" if number else f"policy: {why}")
