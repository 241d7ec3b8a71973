"""XMP packets by namespace URI: RDF attributes and elements alike (ISO 16684-1, RDF/XML)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from app.analysis.probes.readings import MAX_TAGS, Remark, clean

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

MAX_PACKET = 8 * 1024 * 1024
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
NAMESPACES = {
    "http://ns.adobe.com/tiff/1.0": "tiff",
    "http://ns.adobe.com/exif/1.0": "exif",
    "http://cipa.jp/exif/1.0": "exifEX",
    "http://ns.adobe.com/xap/1.0": "xmp",
    "http://ns.adobe.com/xap/1.0/mm": "xmpMM",
    "http://ns.adobe.com/exif/1.0/aux": "aux",
    "http://ns.adobe.com/photoshop/1.0": "photoshop",
    "http://ns.google.com/photos/1.0/panorama": "GPano",
    "http://www.dji.com/drone-dji/1.0": "drone-dji",
    "http://www.parrot.com/drone-parrot": "drone-parrot",
    "http://pix4d.com/camera/1.0": "Camera",
    "http://pix4d.com/camera/1.0.0": "Camera",
    "http://ns.sensefly.com/Camera/1.0": "Camera",
    "http://ns.flir.com/xmp/1.0": "FLIR",
    "http://ns.adobe.com/xap/1.0/sType/ResourceEvent": "stEvt",
    "http://ns.adobe.com/xap/1.0/sType/ResourceRef": "stRef",
    "http://ns.microsoft.com/photo/1.0": "MicrosoftPhoto",
    "http://purl.org/dc/elements/1.1": "dc",
    "http://purl.org/dc/terms": "dcterms",
    "http://ns.adobe.com/xap/1.0/rights": "xmpRights",
    "http://ns.adobe.com/camera-raw-settings/1.0": "crs",
    "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns": "Iptc4xmpCore",
    "http://iptc.org/std/Iptc4xmpExt/2008-02-29": "Iptc4xmpExt",
    "http://ns.adobe.com/xmp/note": "xmpNote",
    "http://ns.adobe.com/lightroom/1.0": "lr",
    "http://ns.google.com/photos/1.0/camera": "GCamera",
    "http://ns.google.com/photos/1.0/creations": "GCreations",
    "http://ns.apple.com/faceinfo/1.0": "apple-fi",
    "http://micasense.com/MicaSense/1.0": "MicaSense",
    "http://micasense.com/DLS/1.0": "DLS",
    "http://ns.microsoft.com/photo/1.2": "MP",
    "http://ns.nikon.com/nine/1.0": "nine",
    "http://ns.acdsee.com/iptc/1.0": "acdsee",
    "http://www.digikam.org/ns/1.0": "digiKam",
    "http://ns.useplus.org/ldf/xmp/1.0": "plus",
}
_CONTAINERS = {f"{{{RDF}}}{name}" for name in ("Seq", "Bag", "Alt")}
_ITEM = f"{{{RDF}}}li"
_DESCRIPTION = f"{{{RDF}}}Description"
_DRONE = re.compile(r"/(drone-[a-z0-9]+)(?:/|$)")
_DECLARED = re.compile(rb"xmlns:([\w.-]+)\s*=\s*[\"']([^\"']+)[\"']")
_ATTRIBUTE = re.compile(rb"([\w.-]+):([\w.-]+)\s*=\s*[\"']([^\"']{0,2000})[\"']")
_ELEMENT = re.compile(rb"<([\w.-]+):([\w.-]+)>([^<>]{1,2000})</\1:\2>")
_HISTORY_LIMIT = 100
_MARKS = (
    (b"\xff\xfe\0\0", "utf-32-le"),
    (b"\0\0\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)
_UNMARKED = ((b"<\0\0\0", "utf-32-le"), (b"\0\0\0<", "utf-32-be"), (b"<\0", "utf-16-le"), (b"\0<", "utf-16-be"))
_ENCODING = re.compile(r"^<\?xml[^>]*\?>")


@dataclass
class XmpData:
    """Properties by "prefix:Name" with the usual prefix of the namespace; `history` holds xmpMM:History events."""

    properties: dict[str, str] = field(default_factory=dict)
    history: list[dict[str, str]] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)


def prefix_of(uri: str) -> str | None:
    """The usual prefix of a namespace; makers differ in slashes and hash marks at its end."""
    trimmed = uri.strip().rstrip("/#")
    known = NAMESPACES.get(trimmed)
    if known:
        return known
    drone = _DRONE.search(trimmed)
    return drone.group(1) if drone else None


def read_xmp(packets: list[bytes]) -> XmpData:
    """Read packets in order; the first value of a property stays."""
    data = XmpData()
    for packet in packets:
        _read_packet(packet[:MAX_PACKET], data)
    return data


def _read_packet(packet: bytes, data: XmpData) -> None:
    from defusedxml import ElementTree
    from defusedxml.common import DefusedXmlException

    body = _trimmed(packet)
    try:
        root = ElementTree.fromstring(body, forbid_dtd=True)
    except DefusedXmlException:
        data.remarks.append(
            Remark("xmp_refused", "the XMP declares entities or a DTD, which no camera writes; not read")
        )
        return
    except (ElementTree.ParseError, ValueError, LookupError, RecursionError):
        data.remarks.append(
            Remark("xmp_malformed", "the XMP is no well-formed XML; only its plain properties were read")
        )
        _read_attributes(body, data)
        return
    for description in _top_descriptions(root):
        for name, text in description.attrib.items():
            _keep(data, name, text)
        for element in description:
            _read_property(element, data)


def _trimmed(packet: bytes) -> bytes:
    """The XML alone, as UTF-8; writers pad packets with blanks and NULs (XMP part 1 allows UTF-16 and UTF-32 too)."""
    for marks in (_MARKS, _UNMARKED):
        for mark, encoding in marks:
            if packet.startswith(mark):
                text = packet.decode(encoding, "replace").lstrip("\ufeff")
                packet = _ENCODING.sub("", text, count=1).encode("utf-8", "replace")
                break
    start = packet.find(b"<")
    end = packet.rfind(b">")
    return packet[max(0, start) : end + 1]


def _top_descriptions(root: Element) -> Iterator[Element]:
    for rdf in root.iter(f"{{{RDF}}}RDF"):
        yield from (child for child in rdf if child.tag == _DESCRIPTION)


def _split(name: str) -> tuple[str | None, str]:
    uri, _, local = name[1:].partition("}") if name.startswith("{") else ("", "", name)
    return prefix_of(uri), local


_RESOURCE = f"{{{RDF}}}resource"
_VALUE = f"{{{RDF}}}value"
_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"


def _keep(data: XmpData, name: str, text: str | None) -> None:
    prefix, local = _split(name)
    if prefix is None or text is None or not text.strip() or len(data.properties) >= MAX_TAGS:
        return
    data.properties.setdefault(f"{prefix}:{local}", clean(text.strip()))


def _read_property(element: Element, data: XmpData) -> None:
    containers = [child for child in element if child.tag in _CONTAINERS]
    prefix, local = _split(element.tag)
    if (prefix, local) == ("xmpMM", "History"):
        for container in containers:
            data.history.extend(_fields(item) for item in container.findall(_ITEM)[:_HISTORY_LIMIT])
        return
    if containers:
        _keep(data, element.tag, _listed(containers[0]))
        return
    value = next((child.text for holder in (element, *element) for child in holder if child.tag == _VALUE), None)
    if value is not None or element.get(_VALUE) is not None:  # a value with qualifiers
        _keep(data, element.tag, value or element.get(_VALUE))
        return
    if len(element) or any(not name.startswith(f"{{{RDF}}}") and name != _LANGUAGE for name in element.attrib):
        for name, text in _fields(element).items():
            if prefix is not None and len(data.properties) < MAX_TAGS:
                data.properties.setdefault(f"{prefix}:{local}/{name}", text)
        return
    _keep(data, element.tag, element.get(_RESOURCE) or element.text)


def _listed(container: Element) -> str:
    """Items in order; of alternatives in several languages the default alone (XMP part 1, 8.2.2.4)."""
    items = container.findall(_ITEM)[:_HISTORY_LIMIT]
    default = [item for item in items if item.get(_LANGUAGE) == "x-default"]
    return "; ".join(text for item in default or items if (text := (item.text or item.get(_RESOURCE) or "").strip()))


def _fields(element: Element) -> dict[str, str]:
    """Fields of a structure, written as attributes, elements or a nested description."""
    found: dict[str, str] = {}
    nested = [child for child in element if child.tag == _DESCRIPTION]
    for holder in (element, *nested):
        pairs = [*holder.attrib.items(), *((child.tag, child.text or "") for child in holder)]
        for name, text in pairs:
            prefix, local = _split(name)
            if prefix is not None and text.strip():
                found.setdefault(local, clean(text.strip()))
    return found


def _read_attributes(body: bytes, data: XmpData) -> None:
    """Plain attributes and elements of a packet that no XML reader takes, by its own declarations."""
    uris = {name: uri.decode("latin-1") for name, uri in _DECLARED.findall(body)}
    for written, local, text in (*_ATTRIBUTE.findall(body), *_ELEMENT.findall(body)):
        prefix = prefix_of(uris.get(written, ""))
        if prefix is not None and len(data.properties) < MAX_TAGS:
            value = text.decode("utf-8", "replace").strip()
            if value:
                data.properties.setdefault(f"{prefix}:{local.decode('ascii', 'replace')}", clean(value))
