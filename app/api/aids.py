"""Where the sun stood, and what can be worked out beside an item's metadata."""

from __future__ import annotations

import hashlib
from typing import Annotated

from fastapi import APIRouter, Query

from app.analysis.aids import aids, moment_of, shown
from app.analysis.record_bytes import from_bytes
from app.analysis.sun import sun_at
from app.api.deps import ItemRef, Serv, Who, known_id
from schemas.api.aids import AidsShown, SunShown

router = APIRouter(tags=["aids"])


@router.get("/sun")
def sun(
    who: Who,
    lat: Annotated[float, Query(description="Decimal degrees, WGS84.", examples=[48.123456])],
    lon: Annotated[float, Query(description="Decimal degrees, east positive.", examples=[37.654321])],
    at: Annotated[str, Query(max_length=40, description="RFC 3339.", examples=["2023-06-01T14:03:22+03:00"])],
) -> SunShown:
    """Where the sun stood for a place and a moment: altitude, azimuth, shadows, sunrise and sunset.

    A `+` of the offset is `%2B` in an address. Nothing of it is stored.
    """
    del who  # whoever is known may ask: nothing of a case is in it
    return shown(sun_at(lat, lon, moment_of(at.replace(" ", "+"))))


@router.get("/items/{item}/aids")
def item_aids(item: ItemRef, who: Who, services: Serv) -> AidsShown:
    """What can be worked out beside the newest metadata record: the sun, and clocks against source and deposit.

    It is worked out anew for each answer and stored nowhere: the record stays what the file itself says. The read is
    recorded as one of the metadata.
    """
    found, _ = services.evidence.find_item(who, known_id(item, "item"))
    record = services.versions.record(found.id, None)
    source = services.sources.current_of([found])[found.id].record
    answer = aids(found.id, hashlib.sha256(record).hexdigest(), from_bytes(record), {**source}, found.received_at)
    services.evidence.record_access(who, found, "metadata")
    return answer
