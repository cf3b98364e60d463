"""Files nobody builds: sources in no CMakeLists.txt, private headers nobody includes."""

import posixpath
import re

from includes import INCLUDE
from tree import Finding

TOKEN = re.compile(r"[\w./+${}-]+\.(?:cpp|hpp|cu|cuh|c|h)\b")
WORD = re.compile(r"[\w.+-]+")
PREFIX = re.compile(r"^\$\{(?:CMAKE_CURRENT_SOURCE_DIR|CMAKE_CURRENT_LIST_DIR)\}/")


def listed_in(file):
    """Paths that one CMake file names, and a test for names made of a loop's variable."""
    paths = set()
    patterns = []
    text = "\n".join(line.split("#")[0] for line in file.lines)
    words = set(WORD.findall(text))
    for token in TOKEN.findall(text):
        if token.startswith(("${PROJECT_SOURCE_DIR}/", "${Muster_SOURCE_DIR}/")):
            paths.add(posixpath.normpath(token.split("/", 1)[1]))
            continue
        token = PREFIX.sub("", token)
        path = posixpath.normpath(posixpath.join(file.folder, token))
        if "${" in path:
            escaped = re.sub(r"\\\$\\\{\w+\\\}", r"([\\w.+-]+)", re.escape(path))
            patterns.append(re.compile(f"^{escaped}$"))
        else:
            paths.add(path)
    return paths, patterns, words


def check(tree):
    paths = set()
    loops = []
    for file in tree.files:
        if file.is_cmake:
            named, patterns, words = listed_in(file)
            paths |= named
            loops += [(pattern, words) for pattern in patterns]
    included = set()
    for file in tree.sources:
        for line in file.lines:
            match = INCLUDE.match(line)
            if match:
                included.add(match.group(2))
    for file in tree.sources:
        if file.path in paths or any(
                (match := pattern.match(file.path)) and set(match.groups()) <= words for pattern, words in loops):
            continue
        is_header = file.suffix in (".hpp", ".h", ".cuh")
        if is_header and "/include/" not in file.path:
            if not any(file.path == name or file.path.endswith("/" + name) for name in included):
                yield Finding(file.path, 1, "dead-file", "nothing includes this header")
        else:
            where = "HEADERS of its library" if is_header else "a CMakeLists.txt"
            yield Finding(file.path, 1, "dead-file", f"not listed in {where}: it is not built, or not installed")
