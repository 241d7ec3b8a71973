"""Care of the law's data: sign-offs of entries of the catalogue, and changes of the suggestion rules, version 1."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.records.v1.link import Person
from schemas.records.v1.provision import CatalogueReference, Identifier

MAX_REASONS = 8_000
_Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ProvisionSignoffRecord(_Record):
    """A named lawyer signs an entry off, or withdraws his sign-off; named by an event (role "provision sign-off").

    It holds for exactly this version of the catalogue. The same entry in another version is a draft there.

    Attributes:
        entry_sha256: of the canonical bytes of the entry as this version has it.
        number: 1 for the first decision on the entry in this version, then without gaps.
        scope: what the lawyer checked, in his words.
    """

    v: Literal[1] = 1
    type: Literal["provision sign-off"] = "provision sign-off"
    signoff: str
    catalogue: CatalogueReference
    provision: Identifier
    entry_sha256: _Sha256
    number: int = Field(ge=1)
    decision: Literal["sign", "withdraw"]
    scope: str = Field(max_length=MAX_REASONS)
    lawyer: Person
    created_at: str


class RuleChangeRecord(_Record):
    """A change of the suggestion rules; named by an event (role "rule change").

    Attributes:
        number: 1 for the archive's first change, then without gaps.
        kind: `import` of another file, `rule` on or off, `threshold`.
        file_sha256: of an imported file; its bytes lie beside this record.
        rule: id of a rule that is switched; `on` says which way.
        threshold: its name; `value` is decimal text, or null for the file's own.
    """

    v: Literal[1] = 1
    type: Literal["rule change"] = "rule change"
    number: int = Field(ge=1)
    kind: Literal["import", "rule", "threshold"]
    file_sha256: _Sha256 | None = None
    rule: str | None = None
    on: bool | None = None
    threshold: str | None = None
    value: str | None = None
    reason: str = Field(max_length=MAX_REASONS)
    lawyer: Person
    created_at: str
