"""gnnbench.contract.locator: each key and each element is found on the line on which it was written."""

import itertools
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnnbench.contract.locator import locate
from gnnbench.contract.toml_text import read_toml


def paths(value, path=()):
    """Every path of a document, tables and arrays among them."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in items:
        yield (*path, name)
        yield from paths(inner, (*path, name))


TEXT = '''\
# [not.a.table]
title = "a # b" # = "
date = 1979-05-27 07:32:00
a.b."c.d" = 1
a.b.e = [ # ] one
  "x]", # two
  [1,
   2], { k = "}", l.m = 3 },

]
"quoted \\u0041" = \'\'\'
[no.table]
x = 1''\'\'\'
long = """
y = \\"""
z""""

[table]
  key="v"
[ table . "sub table" ]
'it''s' = 0
[[list]]
n = 1
[list.deep]
o = 1
[[list]]
n = 2
'''.replace("'it''s'", "'it is'")

LINES = {
    ("title",): 2,
    ("date",): 3,
    ("a",): 4,
    ("a", "b", "c.d"): 4,
    ("a", "b", "e"): 5,
    ("a", "b", "e", 0): 6,
    ("a", "b", "e", 1): 7,
    ("a", "b", "e", 1, 1): 8,
    ("a", "b", "e", 2, "l", "m"): 8,
    ("quoted A",): 11,
    ("long",): 14,
    ("table",): 18,
    ("table", "key"): 19,
    ("table", "sub table"): 20,
    ("table", "sub table", "it is"): 21,
    ("list", 0): 22,
    ("list", 0, "n"): 23,
    ("list", 0, "deep", "o"): 25,
    ("list", 1): 26,
    ("list", 1, "n"): 27,
}


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_every_form_of_toml(end):
    """Comments, quotes, dotted keys, nested arrays, inline tables, texts of several lines, arrays of tables."""
    text = TEXT.replace("\n", end)
    found = locate(text)

    assert {path: found.get(path) for path in LINES} == LINES
    assert set(found) == set(paths(read_toml(text)))


class Writer:
    """Writes a document in one of many ways, and notes the line of each path."""

    def __init__(self, choose):
        self.choose = choose
        self.text = ""
        self.lines = {}

    def put(self, text):
        self.text += text

    def note(self, path):
        self.lines.setdefault(path, self.text.count("\n") + 1)

    def gap(self, *, broken):
        """Blanks, and where lines may be broken, comments and new lines."""
        self.put(self.choose(["", " ", "\t"] + (["\n", " # a ] } \" '\n", "\n\n"] if broken else [])))

    def key(self, name):
        bare = name.isascii() and name.replace("-", "").replace("_", "").isalnum()
        quoted = [json.dumps(name, ensure_ascii=False).replace("\x7f", "\\u007f")]
        quoted += [f"'{name}'"] if name.isprintable() and "'" not in name else []
        self.put(self.choose(quoted + [name] * bare))

    def pair(self, path, value):
        names = [path[-1]]
        # A table with one key may be written as a dotted key.
        while isinstance(value, dict) and len(value) == 1 and self.choose([True, False]):
            ((name, value),) = value.items()
            names.append(name)
        for depth, name in enumerate(names):
            path = (*path[:-1], name) if depth == 0 else (*path, name)
            self.note(path)
            self.put(" . " if depth and self.choose([True, False]) else "." if depth else "")
            self.key(name)
        self.put(self.choose(["=", " = ", "\t="]))
        self.value(path, value)

    def value(self, path, value):
        if isinstance(value, dict):
            self.put("{")
            for position, (name, inner) in enumerate(value.items()):
                self.put(", " if position else " ")
                self.pair((*path, name), inner)
            self.put("}")
        elif isinstance(value, list):
            self.put("[")
            for position, inner in enumerate(value):
                self.gap(broken=True)
                self.note((*path, position))
                self.value((*path, position), inner)
                self.gap(broken=True)
                self.put("," if position < len(value) - 1 or self.choose([True, False]) else "")
            self.gap(broken=True)
            self.put("]")
        elif isinstance(value, str):
            self.string(value)
        else:
            self.put("true" if value is True else "false" if value is False else str(value))

    def string(self, value):
        forms = [json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")]
        if value.isprintable() and "'" not in value:
            forms += [f"'{value}'", f"'''\n{value}'''"]
        if value.isprintable():
            escaped = value.replace("\\", "\\\\").replace('"', '\\"')
            forms += [f'"""\n{escaped}"""', f'"""\\\n  {escaped}"""'] if value[:1] != " " else []
        self.put(self.choose(forms))

    def document(self, data, path=()):
        tables = {name: value for name, value in data.items() if isinstance(value, dict)}
        headed = [name for name in tables if self.choose([True, False])]
        for name, value in data.items():
            if name not in headed:
                self.put(self.choose(["", "\n", "  ", "# x = 1\n"]))
                self.pair((*path, name), value)
                self.put(self.choose(["\n", " # [t]\n"]))
        for name in headed:
            whole = (*path, name)
            self.note(whole)
            self.put("[")
            for depth, one in enumerate(whole):
                self.put("." if depth else "")
                self.key(one)
            self.put("]" + self.choose(["\n", " # y = 1\n"]))
            self.document(tables[name], whole)


NAMES = st.text("ab-_ .#\"'=[]é\\", min_size=1, max_size=4)
SCALARS = st.one_of(st.booleans(), st.integers(-99, 99), st.text("ab #\"'\\\n[]{},=\t\x7f", max_size=6))
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(NAMES, VALUES, max_size=4), st.data())
def test_documents_written_in_many_ways(data, choices):
    """What the writer noted is what the locator finds, and the parser sees the same paths."""
    writer = Writer(lambda options: choices.draw(st.sampled_from(options)))
    writer.document(data)

    assert read_toml(writer.text) == data
    assert locate(writer.text) == writer.lines
    assert set(writer.lines) == set(paths(data))


def test_long_documents_take_no_longer_than_they_are_long():
    """A thousand lines are located in one pass."""
    text = "".join(f'key{n} = "value"\n' for n in range(1000))

    assert list(locate(text).values()) == list(itertools.islice(itertools.count(1), 1000))
