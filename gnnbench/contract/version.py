"""Versions held against specifiers of PEP 440, also those that are no versions of it."""

from __future__ import annotations

from dataclasses import dataclass

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version


@dataclass(frozen=True, slots=True)
class Specifier:
    """Which versions will do: `>=2.8,<2.9`."""

    text: str
    parsed: SpecifierSet

    @classmethod
    def parse(cls, text: str) -> Specifier:
        """Raises `ValueError` for what is no specifier, and for one that lets every version pass."""
        try:
            parsed = SpecifierSet(text)
        except InvalidSpecifier:
            bare = f"; for this version alone write {exactly(text)}" if parse_version(text) else ""
            raise ValueError(
                f"expected a version specifier such as >=2.8,<2.9, found {text!r}{bare}"
            ) from None
        if not len(parsed):
            raise ValueError(
                f"expected a version specifier such as >=2.8,<2.9, found {text!r}; true means any version"
            )
        return cls(text.strip(), parsed)

    def allows(self, version: str) -> bool:
        """Whether `version` will do. Pre-releases count: what is installed is not up for choice.

        A local version (`2.8.0+cu121`) fits `==2.8.0` and `==2.8.0+cu121`, as PEP 440 has it.
        """
        if parse_version(version) is None:
            # All operators but === take only what PEP 440 calls a version, which this is not.
            return all(one.version.lower() == version.lower() for one in self.parsed)
        return self.parsed.contains(version, prereleases=True)

    def why_not(self, version: str) -> str:
        """What is easily overlooked about a version that will not do; else empty."""
        parsed = parse_version(version)
        if parsed is None:
            return f"PEP 440 can't order {version}: only ==={version} lets it pass"
        if parsed.is_prerelease and self.parsed.contains(parsed.base_version, prereleases=True):
            base = parsed.base_version
            return f"{version} is a pre-release, which comes before {base}; >={base}.dev0 lets it pass"
        return ""


def parse_version(text: str) -> Version | None:
    """None for what PEP 440 does not call a version."""
    try:
        return Version(text)
    except ValueError:  # InvalidVersion, and a number of more digits than Python reads
        return None


def exactly(version: str) -> str:
    """The specifier that lets this version pass alone."""
    return f"=={version}" if parse_version(version) is not None else f"==={version}"
