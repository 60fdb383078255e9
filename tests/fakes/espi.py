"""Green Button files written by hand: a feed of entries, well formed or not."""

from __future__ import annotations

from collections.abc import Iterable

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom">'
TAIL = "</feed>"
METER = "RetailCustomer/1/UsagePoint/1/MeterReading/1"


def entry(content: str, own: str = "", up: str = "", related: Iterable[str] = (), title: str = "") -> str:
    links = "".join(f'<link rel="related" href="{href}"/>' for href in related)
    return (f'<entry><id>urn:uuid:1</id><link rel="self" href="{own}"/><link rel="up" href="{up}"/>{links}<title>{title}</title>'
            f"<content>{content}</content></entry>")  # fmt: skip


def reading_type(own: str = "ReadingType/1", **fields: object) -> str:
    known = {"accumulationBehaviour": 4, "flowDirection": 1, "kind": 12, "powerOfTenMultiplier": 0, "uom": 72, "intervalLength": 3600}
    given = "".join(f"<{name}>{value}</{name}>" for name, value in {**known, **fields}.items() if value is not None)
    return entry(f'<ReadingType xmlns="http://naesb.org/espi">{given}</ReadingType>', own, "ReadingType")


def meter(own: str = METER, kind: str = "ReadingType/1", title: str = "Electricity") -> str:
    return entry('<MeterReading xmlns="http://naesb.org/espi"/>', own, own.rpartition("/")[0], [f"{own}/IntervalBlock", kind], title)


def reading(start: int | None, value: object, duration: int | None = 3600, quality: int | None = None) -> str:
    period = "" if start is None else f"<timePeriod><duration>{duration}</duration><start>{start}</start></timePeriod>"
    doubt = "" if quality is None else f"<ReadingQuality><quality>{quality}</quality></ReadingQuality>"
    return f"<IntervalReading><cost>974</cost>{doubt}{period}<value>{value}</value></IntervalReading>"


def block(*readings: str, up: str = f"{METER}/IntervalBlock", start: int | None = None) -> str:
    begins = "" if start is None else f"<interval><duration>86400</duration><start>{start}</start></interval>"
    return entry(f'<IntervalBlock xmlns="http://naesb.org/espi">{begins}{"".join(readings)}</IntervalBlock>', f"{up}/1", up)


def feed(*entries: str) -> str:
    return HEAD + "\n".join(entries) + TAIL
