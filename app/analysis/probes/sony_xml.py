"""Sony's NonRealTimeMeta: the XML that its cameras put into an MP4's `meta` box (device, date, acquisition record)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from app.analysis.probes.readings import Remark, clean, unreadable

MAX_BYTES: Final = 1024 * 1024
_ROOT: Final = "NonRealTimeMeta"
_MAX_ELEMENTS, _MAX_ITEMS = 5_000, 100
_ATTRIBUTES: Final = {
    "Device": ("manufacturer", "modelName", "serialNo"),
    "CreationDate": ("value",),
    "Lens": ("modelName",),
    "LtcChange": ("value",),
}


@dataclass
class SonyFacts:
    """Attributes by "Element attribute" ("Device serialNo"), items of the acquisition record by group and name."""

    texts: dict[str, str] = field(default_factory=dict)
    remarks: list[Remark] = field(default_factory=list)

    @property
    def found(self) -> bool:
        """Whether the XML was Sony's."""
        return bool(self.texts)


def read_sony(packet: bytes) -> SonyFacts:
    """Read the XML; what is none of Sony's leaves nothing, what is broken or uses entities is named."""
    from xml.etree.ElementTree import ParseError

    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    facts = SonyFacts()
    if _ROOT.encode() not in packet[:4096]:
        return facts
    try:
        root = fromstring(packet.strip(b"\0 \r\n\t"), forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError):
        facts.remarks.append(unreadable("the XML of a camera (meta box)"))
        return facts
    group = ""
    for number, element in enumerate(root.iter()):
        name = str(element.tag).rpartition("}")[2]
        if number >= _MAX_ELEMENTS or len(facts.texts) >= _MAX_ITEMS:
            break
        if name == "Group":
            group = element.get("name", "")
        elif name == "Item":
            facts.texts.setdefault(clean(f"{group} {element.get('name', '')}"), clean(element.get("value", "")))
        for attribute in _ATTRIBUTES.get(name, ()):
            value = element.get(attribute)
            if value:
                facts.texts.setdefault(f"{name} {attribute}", clean(value).strip())
    return facts
