"""Dataclasses to strict JSON and back, keeping what this version does not know.

Fields a document has and this version lacks are kept in `extra` and written out again, so that an old
gnnbench can pass on a newer one's document unharmed. JSON has no NaN and no infinity: floats that are
not finite are written as the strings `"NaN"`, `"Infinity"` and `"-Infinity"`.
"""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Mapping
from enum import Enum
from functools import cache
from typing import Any, TypeVar

T = TypeVar("T")

_NONFINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


class DocumentError(ValueError):
    """A document is not what it should be; the message says where, what was expected, what was found."""


def encode(value: Any) -> Any:
    """Turn dataclasses, enums, tuples and mappings into plain JSON values.

    Raises `DocumentError` for a value that JSON can't hold.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: encode(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {**fields.pop("extra", {}), **fields}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if value is None or type(value) in (str, bool, int, float):
        return value
    for plain in (str, int, float):
        # Subclasses (torch's version, numpy's float64) would not survive the way between processes.
        if isinstance(value, plain):
            return plain(value)
    if isinstance(value, Mapping):
        return {str(key): encode(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [encode(item) for item in value]
    raise DocumentError(f"expected a JSON value, found {type(value).__name__}: {value!r:.80}")


def decode(cls: type[T], data: Any, path: str = "") -> T:
    """Build `cls` from plain JSON values.

    Raises `DocumentError` naming the path of the first value that does not fit.
    """
    if not isinstance(data, Mapping):
        raise _unfit(path, f"an object ({cls.__name__})", data)
    hints = _hints(typing.cast(Any, cls))
    names = {f.name: f for f in dataclasses.fields(typing.cast(Any, cls))}
    known = {}
    for name, definition in names.items():
        if name == "extra":
            known["extra"] = {key: data[key] for key in data if key not in names}
        elif name in data:
            known[name] = _decode_value(hints[name], data[name], f"{path}.{name}" if path else name)
        elif definition.default is dataclasses.MISSING and definition.default_factory is dataclasses.MISSING:
            raise DocumentError(f"{path or 'document'}: expected a field {name!r}, found none")
    try:
        return cls(**known)
    except ValueError as error:
        raise DocumentError(f"{path or 'document'}: {error}") from error


@cache
def _hints(cls: type) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def _decode_value(hint: Any, data: Any, path: str) -> Any:
    if hint is Any:
        return data
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _decode_union(arguments, data, path)
    if origin is typing.Literal:
        if data in arguments:
            return data
        raise _unfit(path, " or ".join(map(repr, arguments)), data)
    if origin is tuple:
        if not isinstance(data, list):
            raise _unfit(path, "a list", data)
        return tuple(_decode_value(arguments[0], item, f"{path}[{i}]") for i, item in enumerate(data))
    if origin is not None and issubclass(origin, Mapping):
        if not isinstance(data, Mapping):
            raise _unfit(path, "an object", data)
        return {key: _decode_value(arguments[1], item, f"{path}.{key}") for key, item in data.items()}
    if dataclasses.is_dataclass(hint):
        return decode(typing.cast(type, hint), data, path)
    if issubclass(hint, Enum):
        try:
            return hint(data)
        except ValueError:
            raise _unfit(path, " or ".join(repr(m.value) for m in hint), data) from None
    return _decode_scalar(hint, data, path)


def _decode_union(arguments: tuple[Any, ...], data: Any, path: str) -> Any:
    if data is None and type(None) in arguments:
        return None
    rest = [argument for argument in arguments if argument is not type(None)]
    if len(rest) == 1:
        return _decode_value(rest[0], data, path)
    if type(data) in rest:
        return data
    raise _unfit(path, " or ".join(argument.__name__ for argument in rest), data)


def _decode_scalar(hint: type, data: Any, path: str) -> Any:
    if hint is float:
        if isinstance(data, str) and data in _NONFINITE:
            return _NONFINITE[data]
        if isinstance(data, (int, float)) and not isinstance(data, bool):
            try:
                return float(data)
            except OverflowError:
                raise _unfit(path, "a number that a float can hold", data) from None
        raise _unfit(path, "a number", data)
    if type(data) is not hint:
        raise _unfit(
            path, {"str": "a string", "int": "a whole number", "bool": "true or false"}[hint.__name__], data
        )
    return data


def _unfit(path: str, expected: str, data: Any) -> DocumentError:
    return DocumentError(f"{path or 'document'}: expected {expected}, found {data!r:.80}")
