"""One logged-in session for each PKCS#11 token, shared by every key in it (OASIS PKCS #11 3.0).

1. Calls into modules are made one at a time: modules are initialised without locks of their own.
2. A session that was lost (the token pulled out, the module restarted, the process forked) is opened again, once per
   call. A second failure is told.
3. A PIN that the token refused is not tried a second time by this process: tokens lock themselves after a few tries.
4. No PIN is kept, shown or put into an error; of a refused one a salted digest is remembered.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

from evidence_store.errors import EvidenceStoreError

if TYPE_CHECKING:  # the module is loaded when a token is spoken to, not before
    from pkcs11.types import Session, Token

R = TypeVar("R")
Pin = Callable[[], str]
"""Asked for the PIN when a session is opened."""

_LOST: Final = frozenset(
    {
        "CryptokiNotInitialized",
        "DeviceError",
        "DeviceRemoved",
        "FunctionFailed",
        "GeneralError",
        "KeyHandleInvalid",
        "NoSuchToken",  # the module may not have looked since the token was put in
        "ObjectHandleInvalid",
        "OperationNotInitialized",
        "SessionClosed",
        "SessionHandleInvalid",
        "SlotIDInvalid",
        "TokenNotPresent",
        "UserNotLoggedIn",
    }
)
_PIN: Final = frozenset({"PinExpired", "PinIncorrect", "PinInvalid", "PinLenRange", "PinLocked"})
_NO_TOKEN: Final = frozenset({"NoSuchToken", "SlotIDInvalid", "TokenNotPresent", "TokenNotRecognised", "DeviceRemoved"})
_NO_KEY: Final = frozenset({"NoSuchKey", "MultipleObjectsReturned"})

_LOCK: Final = threading.RLock()
_SALT: Final = secrets.token_bytes(16)


@dataclass
class _Shared:
    """What this process holds open, by (module, token)."""

    sessions: dict[tuple[str, str], tuple[int, Session]] = field(default_factory=dict)
    initialised: dict[str, int] = field(default_factory=dict)
    refused: set[bytes] = field(default_factory=set)


_SHARED: Final = _Shared()


def with_session(module: str, token: str, pin: Pin, work: Callable[[Session], R], *, write: bool = False) -> R:
    """Do something in a session of a token.

    Args:
        module: path of the vendor's PKCS#11 library.
        token: the token's label.
        pin: asked only when a session must be opened.
        work: gets the session; it may be called a second time, after a lost session.
        write: whether `work` makes objects; such a session is opened for it alone.

    Raises:
        EvidenceStoreError: `pkcs11_module_missing`, `pkcs11_token_missing`, `pkcs11_pin_wrong`, `pkcs11_key_missing`,
            `pkcs11_failed`, and whatever `work` raises.
    """
    import pkcs11

    where = module, token
    with _LOCK, _coded(token):
        try:
            return work(_session(where, pin, write=write))
        except pkcs11.PKCS11Error as error:
            _forget(where)
            if type(error).__name__ not in _LOST:
                raise
        finally:
            if write:
                _forget(where)
        return work(_session(where, pin, write=write, anew=True))


def _session(where: tuple[str, str], pin: Pin, *, write: bool, anew: bool = False) -> Session:
    """The session of a token, opened if it is not open in this very process."""
    process, session = _SHARED.sessions.get(where, (0, None))
    if write or session is None or process != os.getpid() or not _alive(session):
        _forget(where)
        session = _open(_token(*where, anew=anew), where, pin, write=write)
        _SHARED.sessions[where] = os.getpid(), session
    return session


def _alive(session: Session) -> bool:
    """Whether a session still answers; asked first, for an operation that a dead one broke off cannot end cleanly."""
    import pkcs11

    try:
        session.generate_random(64)
    except pkcs11.PKCS11Error as error:
        return type(error).__name__ not in _LOST  # a token need not have a source of random numbers
    return True


def _token(module: str, label: str, *, anew: bool) -> Token:
    import pkcs11

    try:
        library = pkcs11.lib(module)
    except pkcs11.PKCS11Error:
        raise EvidenceStoreError("pkcs11_module_missing", f"{module} is not here, or no PKCS#11 module") from None
    # a child process must initialise the module for itself (PKCS #11 3.0, section 5.1.4)
    if anew or _SHARED.initialised.get(module, os.getpid()) != os.getpid():
        for where in [one for one in _SHARED.sessions if one[0] == module]:
            del _SHARED.sessions[where]
        library.reinitialize()
    _SHARED.initialised[module] = os.getpid()
    return library.get_token(token_label=label)


def _open(token: Token, where: tuple[str, str], pin: Pin, *, write: bool) -> Session:
    import pkcs11

    secret = pin()
    tried = hashlib.sha256(repr((_SALT, where, secret)).encode()).digest()
    if tried in _SHARED.refused:
        raise _pin_wrong(where[1], "this PIN was refused before and is not tried again")
    try:
        return token.open(rw=write, user_pin=secret)
    except pkcs11.UserAlreadyLoggedIn:  # by another part of this process
        return token.open(rw=write)
    except pkcs11.PKCS11Error as error:
        if type(error).__name__ in _PIN:
            _SHARED.refused.add(tried)
        raise


def _forget(where: tuple[str, str]) -> None:
    import pkcs11

    process, session = _SHARED.sessions.pop(where, (0, None))
    if session is not None and process == os.getpid():
        try:
            session.close()
        except pkcs11.PKCS11Error:
            return  # it is gone already


@contextmanager
def _coded(token: str) -> Iterator[None]:
    """Errors of a module leave with a code of ours, and with nothing that was handed to the module."""
    import pkcs11

    try:
        yield
    except pkcs11.PKCS11Error as error:
        raise _translated(token, error) from None


def _translated(token: str, error: Any) -> EvidenceStoreError:  # noqa: ANN401 - an error of a module loaded late
    name = type(error).__name__
    if name in _PIN:
        return _pin_wrong(token, name)
    if name in _NO_TOKEN:
        return EvidenceStoreError("pkcs11_token_missing", f"there is no token labelled {token!r} in any slot")
    if name in _NO_KEY:
        return EvidenceStoreError("pkcs11_key_missing", f"token {token!r} has not exactly one key of that name")
    return EvidenceStoreError("pkcs11_failed", f"token {token!r} did not do it: {name}")


def _pin_wrong(token: str, why: str) -> EvidenceStoreError:
    return EvidenceStoreError("pkcs11_pin_wrong", f"token {token!r} does not open with this PIN ({why})")
