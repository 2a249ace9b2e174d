"""No tolerance is picked by hand: what judges numbers holds no literal one, and calls nothing that has a default."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted([*ROOT.glob("suites/**/*.py"), *ROOT.glob("gnnbench/numerics/**/*.py")])

#: Arguments and names that hold a tolerance.
NAMES = {"atol", "rtol", "abs_tol", "rel_tol", "tol", "tolerance", "eps_abs", "eps_rel"}

#: Comparisons that bring a tolerance of their own where none is given.
CALLS = {"allclose", "isclose", "assert_close", "assert_allclose", "approx", "gradcheck", "gradgradcheck"}


def literal_tolerances(source: str) -> list[str]:
    """What stands against the rule, with its line."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in CALLS:
                found.append(f"{node.lineno}: {name}")
            found += [
                f"{node.lineno}: {word.arg}"
                for word in node.keywords
                if word.arg in NAMES and number(word.value)
            ]
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [target.id.lower() for target in targets if isinstance(target, ast.Name)]
            if node.value is not None and number(node.value):
                found += [f"{node.lineno}: {name}" for name in names if set(name.split("_")) & NAMES]
        elif isinstance(node, ast.arguments):
            defaults = dict(zip([one.arg for one in node.args[::-1]], node.defaults[::-1], strict=False))
            defaults |= {one.arg: value for one, value in zip(node.kwonlyargs, node.kw_defaults, strict=True)}
            found += [
                f"default of {name}" for name, value in defaults.items() if name in NAMES and number(value)
            ]
    return found


def number(node: ast.expr | None) -> bool:
    """Whether an expression is made of literals alone."""
    if node is None:
        return False
    return not any(isinstance(part, (ast.Name, ast.Attribute, ast.Call)) for part in ast.walk(node)) and any(
        isinstance(part, ast.Constant) and isinstance(part.value, (int, float)) for part in ast.walk(node)
    )


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_literal_tolerance(path):
    """Every bound in suites/ and gnnbench/numerics is computed from something."""
    assert literal_tolerances(path.read_text()) == []


@pytest.mark.parametrize(
    "source",
    [
        "close(a, b, atol=1e-6)",
        "close(a, b, rtol=2 ** -10)",
        "torch.allclose(a, b)",
        "assert a == pytest.approx(b)",
        "ATOL = 1e-6",
        "forward_rtol: float = 1e-5",
        "def compare(a, b, atol=1e-6): pass",
        "def compare(a, b, *, rtol=0.001): pass",
    ],
)
def test_the_rule_sees(source):
    """What the rule is there for."""
    assert literal_tolerances(source)


@pytest.mark.parametrize(
    "source", ["compare(a, b, bound)", "close(a, b, atol=bound)", "LAMBDA = 8.0", "K = 64"]
)
def test_the_rule_lets_pass(source):
    """Bounds that are computed, and numbers that are no tolerance."""
    assert literal_tolerances(source) == []
