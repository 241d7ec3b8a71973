"""Table of renewals: each one a SHA-512 hash tree over the log's history, under a fresh time stamp (RFC 4998)."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, LargeBinary
from sqlmodel import Field

from app.custody.rows import SaltedRow, register


class RenewalRow(SaltedRow, table=True):
    """One renewal.

    `tree_size` is the number of log entries that it covers, `checkpoint` the signed note of that size, `root` the
    SHA-512 (hex) that the first time stamp is over, `leaves` how many data object groups the tree has. The leaves
    themselves and the archive time stamp chain lie in files of the renewal's folder.
    """

    __tablename__ = "renewal"

    id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    created_at: str = Field(max_length=27)
    tree_size: int = Field(sa_column=Column(BigInteger, nullable=False))
    checkpoint: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    root: str = Field(max_length=128)
    leaves: int = Field(sa_column=Column(BigInteger, nullable=False))


register(RenewalRow, "created_at", "tree_size", "checkpoint", "root", "leaves")
