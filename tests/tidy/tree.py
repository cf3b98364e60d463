"""The files of the project, as the tidy rules see them."""

import re
from dataclasses import dataclass, field
from pathlib import Path

SKIPPED_FOLDERS = {"build", ".git", ".cache", "__pycache__"}
SOURCE_SUFFIXES = {".cpp", ".hpp", ".c", ".h", ".cu", ".cuh"}
SCRIPT_SUFFIXES = {".py", ".cmake", ".sh"}

# `// tidy: allow <rule>: <reason>` on a line, or alone on the line before, excuses it from a rule.
ALLOW = re.compile(r"tidy: allow ([\w-]+): \S")


@dataclass(frozen=True, order=True)
class Finding:
    path: str
    line: int
    rule: str
    message: str

    def __str__(self):
        return f"{self.path}:{self.line}: {self.rule}: {self.message}"


@dataclass
class File:
    path: str  # Relative to the root, with forward slashes.
    text: str
    lines: list = field(init=False)

    def __post_init__(self):
        self.lines = self.text.splitlines()

    @property
    def folder(self):
        return self.path.rpartition("/")[0]

    @property
    def name(self):
        return self.path.rpartition("/")[2]

    @property
    def suffix(self):
        return Path(self.path).suffix

    @property
    def is_source(self):
        return self.suffix in SOURCE_SUFFIXES

    @property
    def is_cmake(self):
        return self.name == "CMakeLists.txt" or self.suffix == ".cmake"

    def under(self, *folders):
        return any(self.path == f or self.path.startswith(f + "/") for f in folders)

    def allows(self, line, rule):
        """Whether the line of this number (from 1) is excused from the rule."""
        near = self.lines[max(0, line - 2):line]
        return any(rule in ALLOW.findall(text) for text in near)

    def find(self, pattern, rule, message):
        """A finding for every line that the pattern matches and that is not excused."""
        for number, line in enumerate(self.lines, 1):
            match = pattern.search(line)
            if match and not self.allows(number, rule):
                yield Finding(self.path, number, rule, message.format(match.group(0).strip()))


class Tree:
    """All text files below a root, except what is built or belongs to git."""

    def __init__(self, root):
        self.root = Path(root)
        self.paths = set()
        self.files = []
        for path in sorted(self.root.rglob("*")):
            relative = path.relative_to(self.root)
            if SKIPPED_FOLDERS.intersection(relative.parts) or not path.is_file():
                continue
            self.paths.add(relative.as_posix())
            if path.stat().st_size > 1_000_000:
                continue
            try:
                self.files.append(File(relative.as_posix(), path.read_text("utf-8")))
            except UnicodeDecodeError:
                pass  # Images and data.

    @property
    def sources(self):
        return [f for f in self.files if f.is_source]

    def file(self, path):
        return next((f for f in self.files if f.path == path), None)
