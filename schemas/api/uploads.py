"""Resumable uploads as the API shows them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from schemas.api.base import CASE_ID, ITEM_ID, TIME, Shown
from schemas.api.receipts import ReceiptShown


class UploadShown(Shown):
    """How far an upload has come, and what has become of it."""

    id: str = Field(examples=[ITEM_ID])
    case: str = Field(description="Case id.", examples=[CASE_ID])
    state: Literal["open", "finishing", "done", "failed", "terminated", "expired"]
    offset: int = Field(description="Bytes that are kept, whatever happens now.", examples=[33_554_432])
    size: int = Field(description="Bytes of the whole file.", examples=[1_073_741_824])
    original_name: str = Field(examples=["drone.mp4"])
    created_at: str = Field(examples=[TIME])
    expires_at: str = Field(description="When its bytes are removed, unless it goes on or becomes an item.")
    item: str | None = Field(default=None, description="Id of the item that it became.", examples=[ITEM_ID])
    failure_code: str | None = Field(default=None, description="Why it is no item, or not yet.", examples=[None])
    receipt: ReceiptShown | None = Field(default=None, description="The item's receipt, once it is signed.")
