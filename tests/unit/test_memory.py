"""What a server has loaded is left out of later collections, once; garbage that requests make is still collected."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from app.api.memory import settle


@pytest.fixture
def thawed() -> Iterator[None]:
    settle.cache_clear()
    yield
    gc.unfreeze()
    settle.cache_clear()


def test_what_is_loaded_is_frozen_once_and_later_cycles_are_collected(thawed: None) -> None:
    settle()
    frozen = gc.get_freeze_count()
    assert frozen > 10_000

    class Cycle:
        own: Cycle

    made = Cycle()
    made.own = made
    gone = weakref.ref(made)
    settle()
    assert gc.get_freeze_count() <= frozen
    del made
    gc.collect()
    assert gone() is None
