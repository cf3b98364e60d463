"""Documents that must stay true: links, programs shown in them, a page for every folder."""

import posixpath
import re
from urllib.parse import unquote

from includes import CORE_FOLDERS, LAYERS
from tree import Finding

LINK = re.compile(r"(?<!\!)\[[^\]]*\]\(([^)\s]+)(?:\s+\"[^\"]*\")?\)")
IMAGE = re.compile(r"!\[[^\]]*\]\(([^)\s]+)\)")
EXTERNAL = re.compile(r"^[a-z][a-z0-9+.-]*:")
SHOWN_FILE = re.compile(r"^<!-- file: (\S+) -->$")
FENCE = re.compile(r"^(```+|~~~+)")


def anchor(heading):
    """GitHub's name for a heading."""
    text = re.sub(r"[`*_]|\[|\]\([^)]*\)", "", heading.strip().lower())
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def prose(file):
    """Lines outside code blocks, with inline code blanked, numbered from 1."""
    fence = None
    for number, line in enumerate(file.lines, 1):
        mark = FENCE.match(line.strip())
        if mark and fence is None:
            fence = mark.group(1)
        elif mark and line.strip().startswith(fence):
            fence = None
        elif fence is None:
            yield number, re.sub(r"`[^`]*`", "", line), line


def check(tree):
    documents = [f for f in tree.files if f.suffix == ".md"]
    for file in documents:
        yield from check_links(tree, file)
        yield from check_shown_files(tree, file)
    yield from check_folder_pages(tree)


def check_links(tree, file):
    for number, text, _ in prose(file):
        for target in LINK.findall(text) + IMAGE.findall(text):
            if EXTERNAL.match(target):
                continue
            path, _, section = unquote(target).partition("#")
            joined = posixpath.normpath(posixpath.join(file.folder, path)) if path else file.path
            if joined.startswith(".."):
                yield Finding(file.path, number, "link", f"{target} leads out of the project")
            elif joined != "." and joined not in tree.paths and \
                    not any(p.startswith(joined + "/") for p in tree.paths):
                yield Finding(file.path, number, "link", f"{target} leads nowhere")
            elif section and joined.endswith(".md"):
                headings = {anchor(raw.lstrip("#")) for _, _, raw in prose(tree.file(joined)) if raw.startswith("#")}
                if section not in headings:
                    yield Finding(file.path, number, "link", f"{target}: {joined} has no such heading")


def check_shown_files(tree, file):
    """`<!-- file: path -->` says that the code block after it is exactly that file."""
    for number, line in enumerate(file.lines, 1):
        match = SHOWN_FILE.match(line.strip())
        if not match:
            continue
        shown = tree.file(match.group(1))
        start = next((i for i in range(number, min(number + 2, len(file.lines))) if FENCE.match(file.lines[i])), None)
        if shown is None or start is None:
            why = "no such file" if shown is None else "no code block follows"
            yield Finding(file.path, number, "shown-file", f"{match.group(1)}: {why}")
            continue
        end = next((i for i in range(start + 1, len(file.lines)) if FENCE.match(file.lines[i])), len(file.lines))
        if file.lines[start + 1:end] != shown.lines:
            yield Finding(file.path, number, "shown-file", f"the code block differs from {shown.path}; copy it again")


def check_folder_pages(tree):
    """Every library, every folder of core/src, and the other top folders say what they own."""
    wanted = {"core/base", "tests", "bench", "examples", "scripts", "cmake"}
    wanted |= set(LAYERS) - {"base"} | {f"core/src/{name}" for name in CORE_FOLDERS}
    for folder in sorted(wanted):
        if any(p.startswith(folder + "/") for p in tree.paths) and f"{folder}/README.md" not in tree.paths:
            yield Finding(f"{folder}/README.md", 1, "folder-page",
                          "missing: one page on what the folder owns, its invariants, how to test it")
