"""Where the PIN of a token comes from: the environment or a file. It is not kept, and stands in no error."""

from __future__ import annotations

import os
from pathlib import Path

from app.errors import EnvironmentFailedError

VARIABLE, FILE_VARIABLE = "CATENA_PKCS11_PIN", "CATENA_PKCS11_PIN_FILE"


def find_pin() -> str:
    """The user PIN of the token that holds a key.

    Raises:
        EnvironmentFailedError: `pkcs11_pin_missing`, `pkcs11_pin_unreadable`.
    """
    given = os.environ.get(VARIABLE)
    if given:
        return given
    named = os.environ.get(FILE_VARIABLE)
    if not named:
        raise EnvironmentFailedError("pkcs11_pin_missing", f"a key is in a token: set {VARIABLE} or {FILE_VARIABLE}")
    try:
        return Path(named).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError):
        raise EnvironmentFailedError("pkcs11_pin_unreadable", f"the PIN file {named} cannot be read") from None
