"""What the site has besides docs/: the README as its front page, the reference, and the files to which pages link.

Called by MkDocs, as mkdocs.yml says. A link that is right in the repository is made right in the site; what it leads
to is copied in, so that no page links to what a reader does not have.
"""

from __future__ import annotations

import posixpath
import re
import sys
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

sys.path.insert(0, str(Path(__file__).parent))

from reference import write_reference

CHECKOUT = Path(__file__).parents[2]
LINK = re.compile(r"(?<=\]\()(?!https?:|mailto:|#)([^)\s#]+)(?=[)#])")
CODE = re.compile(r"(?ms)^```.*?^```|`[^`\n]+`")
# The front page, and pages of the site that are made here: by their place in the site, and in the repository.
PLACES = {"README.md": "index.md", "docs/decisions": "decisions/index.md"}


def place_in_site(path: str) -> str:
    """Return where a file of the repository is in the site."""
    if path in PLACES:
        return PLACES[path]
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    return f"repository/{path}/README.md" if (CHECKOUT / path).is_dir() else f"repository/{path}"


def place_in_repository(place: str) -> str:
    """Return the reverse."""
    known = {site: path for path, site in PLACES.items()}
    if place in known:
        return known[place]
    return place.removeprefix("repository/") if place.startswith("repository/") else f"docs/{place}"


def find_links(path: str, text: str) -> set[str]:
    """Return what a page links to, as paths of the repository."""
    folder = posixpath.dirname(path)
    found = LINK.findall(CODE.sub("", text))
    return {posixpath.normpath(posixpath.join(folder, link)) for link in found}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what is not in docs/: the pages that are made here, and whatever is linked to."""
    pages = {"index.md": (CHECKOUT / "README.md").read_text(encoding="utf-8"), "decisions/index.md": _list_decisions()}
    pages["reference.md"] = write_reference()
    for place, text in pages.items():
        files.append(File.generated(config, place, content=text))
    waiting = [(f"docs/{file.src_uri}", file.content_string) for file in files.documentation_pages()]
    waiting += [(place_in_repository(place), text) for place, text in pages.items()]
    while waiting:
        path, text = waiting.pop()
        for linked in find_links(path, text):
            place = place_in_site(linked)
            if not place.startswith("repository/") or files.get_file_from_path(place):
                continue
            if (CHECKOUT / linked).is_dir():
                content = _list_folder(linked)
            elif (CHECKOUT / linked).is_file():
                content = (CHECKOUT / linked).read_text(encoding="utf-8")
            else:
                continue  # MkDocs says which link leads nowhere
            files.append(File.generated(config, place, content=content))
            if place.endswith(".md"):
                waiting.append((place_in_repository(place), content))
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Have links lead to where things are in the site."""
    path = place_in_repository(page.file.src_uri)
    # Of a folder's page the links are those of its README, or of the list that stands for it.
    folder = posixpath.dirname(path)
    here = posixpath.dirname(page.file.src_uri)

    def move(found: re.Match[str]) -> str:
        linked = posixpath.normpath(posixpath.join(folder, found[1]))
        return posixpath.relpath(place_in_site(linked), here or ".")

    pieces, last = [], 0
    for code in CODE.finditer(markdown):
        pieces += [LINK.sub(move, markdown[last : code.start()]), code[0]]
        last = code.end()
    return "".join([*pieces, LINK.sub(move, markdown[last:])])


def _list_decisions() -> str:
    pages = sorted((CHECKOUT / "docs" / "decisions").glob("*.md"))
    titles = [page.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ") for page in pages]
    # Linked to as from docs/, as place_in_repository has it.
    return "# Decisions\n\n" + "\n".join(
        f"- [{title}](decisions/{page.name})" for title, page in zip(titles, pages, strict=True)
    )


def _list_folder(path: str) -> str:
    readme = CHECKOUT / path / "README.md"
    if readme.is_file():
        return readme.read_text(encoding="utf-8")
    inside = sorted(one for one in (CHECKOUT / path).iterdir() if not one.name.startswith("."))
    return f"# {path}\n\n" + "\n".join(f"- `{one.name}{'/' if one.is_dir() else ''}`" for one in inside)
