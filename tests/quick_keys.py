"""Key files of tests: protected by a fifth of the usual work, and opened once per process.

Opening a key takes a quarter of a second on purpose, and thousands of tests open the same few keys. What the files look
like, which are refused and what a wrong passphrase brings is as ever: a file is remembered by its bytes and by the
passphrase that opened it. Processes that a test starts remember nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from cryptography.hazmat.primitives import serialization

from evidence_store.keys import file as key_file


@contextmanager
def quick_keys() -> Iterator[None]:
    """Key files are made and opened quickly until the block ends."""
    opened: dict[tuple[bytes, bytes], Any] = {}
    load = serialization.load_der_private_key

    def remembered(data: bytes, password: bytes | None, *more: Any, **options: Any) -> Any:  # noqa: ANN401 - any kind of key
        if password is None or more or options:
            return load(data, password, *more, **options)
        if (data, password) not in opened:
            opened[data, password] = load(data, password)
        return opened[data, password]

    with (
        mock.patch.object(key_file, "SCRYPT_P", 1),
        mock.patch.object(serialization, "load_der_private_key", remembered),
    ):
        yield
