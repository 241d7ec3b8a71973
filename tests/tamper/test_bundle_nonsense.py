"""Anything at all in a bundle, sealed or not: no check crashes, no byte changes unnoticed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence_store.bundle import layout
from evidence_store.canonical import canonical_bytes
from evidence_store.verify.checks import verify_bundle
from tests.bundles import reseal, write_folder
from tests.insiders import (
    archive,
    found,
    item_ids,
    stored_files,
    zipped,
)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401 - any JSON
    """Where a JSON value can be changed."""
    if path:
        yield path
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from places(child, (*path, key))


def replaced(data: bytes, draw: st.DataObject) -> bytes:
    value = json.loads(data)
    path = draw.draw(st.sampled_from(list(places(value))))
    parent = value
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = draw.draw(json_values)
    return canonical_bytes(value)


@settings(max_examples=60, deadline=None)
@given(draw=st.data())
def test_no_sealed_nonsense_crashes_a_check(tmp_path_factory: pytest.TempPathFactory, draw: st.DataObject) -> None:
    files = dict(stored_files())
    which = draw.draw(st.sampled_from([layout.MANIFEST, layout.receipt_path(item_ids()[0]), layout.EVENTS]))
    if which == layout.EVENTS:
        lines = files[which].split(b"\n")[:-1]
        number = draw.draw(st.integers(0, len(lines) - 1))
        lines[number] = replaced(lines[number], draw)
        files[which] = b"".join(line + b"\n" for line in lines)
    else:
        files[which] = replaced(files[which], draw)
    folder = write_folder(reseal(files, archive()), tmp_path_factory.mktemp("nonsense"))
    crashed = [finding for finding in found(verify_bundle(folder), "check_not_run") if "Error: " in finding.detail]
    assert crashed == []


@settings(max_examples=100, deadline=None)
@given(draw=st.data())
def test_no_byte_of_a_bundle_can_be_changed_unnoticed(
    tmp_path_factory: pytest.TempPathFactory, draw: st.DataObject
) -> None:
    data = bytearray(zipped())
    data[draw.draw(st.integers(0, len(data) - 1))] ^= draw.draw(st.integers(1, 255))
    path = tmp_path_factory.mktemp("changed") / "bundle.zip"
    path.write_bytes(data)
    assert not verify_bundle(path).ok
