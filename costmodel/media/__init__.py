"""What joins chips: one file a family of media, its schema and the formulas of one message or round."""

from __future__ import annotations

from costmodel.errors import ParameterError, cut, nearest
from costmodel.media.medium import Medium, Reserve, Traffic
from costmodel.media.mixer import Mixer, RoundDesign
from costmodel.media.point_to_point import PointToPoint
from costmodel.media.switched import Switched
from costmodel.parameters import Record, validate

MEDIA: dict[str, type[Medium]] = {
    "point_to_point": PointToPoint,
    "switched": Switched,
    "mixer": Mixer,
}


def medium_of(record: Record) -> Medium:
    """Build the medium of a link's record; its key `medium` says which family it is of."""
    if "medium" not in record.data:
        raise ParameterError(f"{record.path}: key 'medium' is missing; {nearest('', MEDIA)}")
    entry = record.data["medium"]
    family = entry.get("value") if isinstance(entry, dict) else entry
    if not isinstance(family, str) or family not in MEDIA:
        raise ParameterError(f"{record.path}: key 'medium' is {cut(family)}; {nearest(str(family), MEDIA)}")
    return validate(MEDIA[family], record.data, record.path)


__all__ = [
    "MEDIA",
    "Medium",
    "Mixer",
    "PointToPoint",
    "Reserve",
    "RoundDesign",
    "Switched",
    "Traffic",
    "medium_of",
]
