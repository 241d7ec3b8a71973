"""the hashes that are searched in a table of their own, beside the fingerprints that they are part of.

What an archive holds is filled in. A fingerprint that cannot be read is left out, sometimes with others beside it: of
what has no row searches read the fingerprint itself.

Revision: 0021
"""

from __future__ import annotations

import logging
import struct
from collections import Counter
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

_LOG = logging.getLogger("catena.migrate")
_MAGIC = b"CFP1"
_MOST = 100_000  # rows of a fingerprint
_HEAD = struct.Struct(">HIIQIIH")  # version, width, height, duration, frames, rows, views
_ROW = struct.Struct(">BB4HIB32s")  # role, dihedral, window, time, quality, value
_CROP = 2
_START = 2560  # bytes of the first look, with which all is there of a photo
_AT_ONCE = 200
_FINGERPRINT = sa.table(
    "fingerprint",
    *(sa.column(name, sa.String) for name in ("item_id", "algorithm", "kind")),
    sa.column("leaf_index", sa.Integer),
    sa.column("data", sa.LargeBinary),
)
_HAS = _FINGERPRINT.c


def upgrade() -> None:
    """Apply."""
    kept = op.create_table(
        "fingerprint_hashes",
        sa.Column("leaf_index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("item_id", sa.String(length=36), nullable=False),
        sa.Column("algorithm", sa.String(length=60), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["item_id"], ["item.id"]),
        sa.PrimaryKeyConstraint("leaf_index"),
    )
    connection = op.get_bind()
    places = sa.select(_HAS.leaf_index).where(_HAS.leaf_index.is_not(None)).distinct().order_by(_HAS.leaf_index)
    leaves = connection.execute(places).scalars().all()
    for begin in range(0, len(leaves), _AT_ONCE):
        try:
            with connection.begin_nested():
                _fill(connection, kept, leaves[begin : begin + _AT_ONCE])
        except Exception as error:  # noqa: BLE001 (whatever an odd row does: it and those beside it are left out)
            _LOG.warning("hashes of events %s to ... are left out: %s", leaves[begin], error)


def _fill(connection: sa.Connection, kept: sa.Table, leaves: Sequence[int]) -> None:
    start = sa.func.coalesce(sa.func.substr(_HAS.data, 1, _START), b"")  # SQLite gives NULL for no octets
    columns = _HAS.leaf_index, _HAS.item_id, _HAS.algorithm, _HAS.kind, _HAS.data.is_(None), start
    these = sa.select(*columns).where(_HAS.leaf_index.in_(sa.bindparam("leaves", expanding=True)))
    found = connection.execute(these, {"leaves": leaves}).all()
    claimed = Counter(row[0] for row in found)
    rows = [_hashes_of(connection, row) for row in found if claimed[row[0]] == 1]
    made = [row for row in rows if row is not None]
    if made:
        connection.execute(sa.insert(kept), made)


def downgrade() -> None:
    """Take back; nothing is lost."""
    op.drop_table("fingerprint_hashes")


def _hashes_of(connection: sa.Connection, found: Sequence[Any]) -> dict[str, object] | None:
    """The row of a fingerprint; None where it cannot be read."""
    leaf, item, algorithm, kind, failed, start = found
    row: dict[str, object] = {"leaf_index": leaf, "item_id": item, "algorithm": algorithm, "kind": kind, "data": None}
    if failed:
        return row
    try:
        begin, end = _rows_at(bytes(start))
        if end > len(start):
            part = sa.select(sa.func.substr(_HAS.data, 1, end)).where(_HAS.leaf_index == leaf)
            start = connection.execute(part).scalar_one()
        rows = _ROW.iter_unpack(bytes(start)[begin:end]) if len(start) >= end else None
    except (struct.error, IndexError, ValueError):
        return None
    if rows is None:
        return None
    plain = [one for one in rows if one[1] == 0]
    return row | {"data": b"".join(one[-1] for one in plain) + bytes(one[0] == _CROP for one in plain)}


def _rows_at(head: bytes) -> tuple[int, int]:
    """Where the rows of a fingerprint begin and end."""
    if head[:4] != _MAGIC:
        raise ValueError("no fingerprint")
    at = 6 + head[5]
    count = int(_HEAD.unpack_from(head, at)[5])
    if count > _MOST:
        raise ValueError("more rows than any has")
    begin = at + _HEAD.size
    return begin, begin + _ROW.size * count
