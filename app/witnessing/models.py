"""Tables of witnesses: what each has co-signed, and how it goes with asking it."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column
from sqlmodel import Field, SQLModel


class CosignatureRow(SQLModel, table=True):
    """One witness's co-signature over one checkpoint: a note signature line (C2SP tlog-cosignature).

    `witness` names its key as `name+hexkeyid`; `time` is the Unix seconds that the co-signature states.
    """

    __tablename__ = "cosignature"

    size: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    witness: str = Field(primary_key=True, max_length=300)
    line: str = Field(max_length=5000)
    time: int = Field(sa_column=Column(BigInteger, nullable=False))
    received_at: str = Field(max_length=27)


class WitnessContactRow(SQLModel, table=True):
    """How far a witness of the policy has come, when it is asked next, and what it once said against this log."""

    __tablename__ = "witness_contact"

    witness: str = Field(primary_key=True, max_length=300)
    size: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))
    failures: int = 0
    next_attempt_at: str = Field(max_length=27)
    last_ok_at: str | None = Field(default=None, max_length=27)
    last_error: str | None = Field(default=None, max_length=500)
    contradiction: str | None = Field(default=None, max_length=500)
