"""The archive's policy of witnesses (C2SP tlog-policy), in a file of the data folder that is read anew each time.

Beside it stands a list of every key that was ever in it: co-signatures of a witness that is asked no more stay
verifiable.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from app.errors import EnvironmentFailedError, InvalidInputError
from app.witnessing.rules import key_name
from evidence_store.durable import replace_file
from evidence_store.errors import EvidenceStoreError
from evidence_store.log.cosignature import CosignerKey, format_cosigner_vkey, parse_cosigner_vkey
from evidence_store.log.policy import MAX_POLICY_BYTES, Policy, decode_policy, parse_policy

MAX_WITNESSES = 64
_MAX_NAME = 300  # of the column that names a key


class Policies:
    """The policy of one archive."""

    def __init__(self, path: Path) -> None:
        """Name the file; it need not be there."""
        self._path = path
        self._known = path.with_suffix(".known")

    def text(self) -> str | None:
        """The policy as it was written; None when there is none.

        Raises:
            EnvironmentFailedError: `witness_policy_unreadable`.
        """
        try:
            return decode_policy(self._path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, EvidenceStoreError):
            raise EnvironmentFailedError("witness_policy_unreadable", f"{self._path} cannot be read") from None

    def read(self) -> Policy | None:
        """The policy; None when there is none.

        Raises:
            EnvironmentFailedError: `witness_policy_unreadable`.
        """
        text = self.text()
        try:
            return None if text is None else parse_policy(text)
        except EvidenceStoreError as error:
            raise EnvironmentFailedError("witness_policy_unreadable", f"{self._path}: {error}") from None

    def former_keys(self) -> list[CosignerKey]:
        """Every key that was ever in a policy put in force by `write`; what cannot be read of the list is left out."""
        try:
            lines = self._known.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            return []
        found: list[CosignerKey] = []
        for line in lines:
            with suppress(EvidenceStoreError):
                found.append(parse_cosigner_vkey(line))
        return found

    def write(self, text: str) -> None:
        """Put a checked policy in force.

        Raises:
            EvidenceStoreError: `storage_full`, `storage_failed`.
        """
        keys = self.former_keys()
        with suppress(EnvironmentFailedError):  # a policy that cannot be read is what is being replaced
            before = self.read()  # it may have been put there by hand
            keys += before.keys if before else []
        keys += parse_policy(text).keys
        vkeys = dict.fromkeys(format_cosigner_vkey(key.name, key.algorithm, key.public_key) for key in keys)
        replace_file(self._known, "".join(f"{vkey}\n" for vkey in vkeys).encode(), 0o644)
        replace_file(self._path, text.encode(), 0o644)


def checked(data: bytes, origin: str, own: list[bytes]) -> tuple[str, Policy]:
    """A policy that this archive can follow.

    Args:
        data: the file.
        origin: of this archive's log.
        own: raw public keys of this archive's log.

    Raises:
        EvidenceStoreError: `policy_form`, `vkey_form`.
        InvalidInputError: `policy_too_large`, `policy_of_other_log`, `policy_own_key`, `policy_address`.
    """
    if len(data) > MAX_POLICY_BYTES:
        raise InvalidInputError("policy_too_large", f"a policy has at most {MAX_POLICY_BYTES} bytes")
    text = decode_policy(data)
    policy = parse_policy(text)
    if policy.logs and origin not in {log.key.name for log in policy.logs}:
        raise InvalidInputError("policy_of_other_log", f"the policy is for other logs than {origin}")
    if len(policy.witnesses) > MAX_WITNESSES:
        raise InvalidInputError("policy_too_large", f"a policy names at most {MAX_WITNESSES} witnesses here")
    for witness in policy.witnesses.values():
        if witness.key.public_key in own:
            raise InvalidInputError("policy_own_key", f"{witness.name} is a key of this very log")
        if len(key_name(witness.key)) > _MAX_NAME:
            raise InvalidInputError("policy_too_large", f"the name of {witness.name}'s key is too long")
        if witness.url is not None:
            _check_address(witness.name, witness.url)
    return text, policy


def _check_address(name: str, url: str) -> None:
    import httpx

    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, ValueError):
        parsed = httpx.URL("")
    if parsed.scheme not in {"http", "https"} or not parsed.host or parsed.query or parsed.fragment or parsed.userinfo:
        raise InvalidInputError("policy_address", f"the address of {name} is not like https://witness.example/prefix")
