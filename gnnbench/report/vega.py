"""Vega-Lite specifications drawn to inline SVG by vl-convert.

The specifications are plain dictionaries rather than Altair objects: vl-convert depends on nothing, where
Altair brings ten distributions, some of which an image has already and could be changed there; and half a
second of imports is saved in each run. The tests validate every specification against Altair's schema.
"""

from __future__ import annotations

import atexit
import importlib.util
import re
from collections.abc import Mapping
from html import escape
from typing import Any
from xml.etree import ElementTree

from gnnbench.report.renderer import Renderer

Spec = dict[str, Any]

#: The parts of a drawing that reach the page; no style, no script, no reference can.
_ELEMENTS = frozenset({"svg", "g", "path", "line", "rect", "text", "tspan"})
_ATTRIBUTES = frozenset(
    [
        "viewBox",
        "width",
        "height",
        "x",
        "y",
        "x1",
        "y1",
        "x2",
        "y2",
        "dx",
        "dy",
        "d",
        "transform",
        "fill",
        "stroke",
        "opacity",
        "fill-opacity",
        "stroke-opacity",
        "stroke-width",
        "stroke-dasharray",
        "stroke-linecap",
        "stroke-linejoin",
        "stroke-miterlimit",
        "text-anchor",
        "font-family",
        "font-size",
        "font-weight",
        "font-style",
    ]
)
_RENDERER = Renderer()
atexit.register(_RENDERER.close)
_LONG_DECIMAL = re.compile(r"(\d+\.\d{2})\d+")


def available() -> bool:
    """Whether charts can be drawn here: the extra `report` is installed."""
    return importlib.util.find_spec("vl_convert") is not None


def draw(spec: Mapping[str, Any], label: str) -> str:
    """Draw `spec` as an `<svg>` element whose text alternative is `label`.

    Raises `RendererError` where vl-convert is not installed or dies, and `ValueError` where it can't read the
    specification.
    """
    return _embed(_RENDERER.svg(spec), label)


def _embed(svg: str, label: str) -> str:
    root = ElementTree.fromstring(svg)  # noqa: S314 - our own renderer's output
    width, height = (float(root.attrib[side]) for side in ("width", "height"))
    inside = "".join(_serialise(child) for child in root)
    return (
        f'<svg role="img" aria-label="{escape(label)}" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}">{inside}</svg>'
    )


def _serialise(element: ElementTree.Element) -> str:
    tag = element.tag.rpartition("}")[2]
    attributes = element.attrib
    invisible = attributes.get("display") == "none" or attributes.get("fill") == "transparent"
    invisible = invisible or attributes.get("d") in ("", "M0,0h0v0h0Z")
    if tag not in _ELEMENTS or invisible:
        return ""
    inside = escape(element.text or "") + "".join(_serialise(child) for child in element)
    if tag in ("g", "text") and not inside:
        return ""
    kept = {name: value for name, value in attributes.items() if name in _ATTRIBUTES}
    if tag == "g" and kept.get("transform") == "translate(0,0)":
        del kept["transform"]
    if tag == "g" and not kept:
        return inside
    written = "".join(f' {name}="{escape(_round(name, value))}"' for name, value in kept.items())
    return f"<{tag}{written}>{inside}</{tag}>" if inside else f"<{tag}{written}/>"


def _round(name: str, value: str) -> str:
    return value if name == "font-family" else _LONG_DECIMAL.sub(r"\1", value)
