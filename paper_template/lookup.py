"""What is known about a paper: asked of arXiv or Crossref, or read from a PDF. One line says how it went."""

import json
import os
import re
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from threading import Thread
from urllib.parse import quote, unquote, urlsplit
from xml.etree import ElementTree

from paper_template.answers import Paper
from paper_template.titles import clean, normal, readable

ARXIV, CROSSREF = "https://export.arxiv.org/api/query", "https://api.crossref.org/works"
USER_AGENT = "paper-template (https://github.com/org/paper-template)"
SECONDS = 5  # for the whole look-up
spent: dict[str, float] = {}  # of the seconds, on each paper
BYTES = 4 * 2**20  # of an answer; a paper by three thousand authors takes a tenth of it

ARXIV_ID = r"(?:\d\d(?:0[1-9]|1[0-2])\.\d{4,5}|[a-z][a-z-]+(?:\.[A-Z]{2})?/\d\d(?:0[1-9]|1[0-2])\d{3})(?:v[1-9]\d*)?"
LIKE_ARXIV_ID = r"\d{4}\.\d{3}\S*|[a-z-]+(?:\.[A-Z]{2})?/\d{5}\S*"
ARXIV_HOSTS = r"(?:[\w-]+\.)*(?:arxiv|alphaxiv|ar5iv)\.org|xxx\.lanl\.gov|www\.arxiv-vanity\.com|huggingface\.co"
ARXIV_PAGES = "abs|pdf|html|ps|src|format|e-print|overview|papers"
DOI_PREFIX = r"(?:https?://)?(?:\w+\.)?doi\.org/|doi[:\s]\s*"
DOI = r"10\.\d{4,9}/[^\s\"]+"

# What programs write into a document for want of a title
NO_TITLE = re.compile(
    r"(microsoft word|powerpoint|formatting instructions|paper title|untitled|pii:|doi:).*"
    r"|.*\.(dvi|docx?|tex|pdf|indd|qxd|rtf)|\S+ \d+\.\.\d+|title|paper|main|manuscript|template|article|\W*",
    re.IGNORECASE,
)


# The title of a paper that should not be relied on, and that of a notice, which is no paper
RETRACTED = re.compile(
    r"\W*\b(retracted|withdrawn|(?:temporary )?removal|removed)(?: (?:article|paper|chapter))?\s*[:\])]\s*",
    re.IGNORECASE,
)
NOTICE = re.compile(r"(?:statement of )?(retraction|withdrawal)(?: note| notice)?(?: to| of)?\s*:", re.IGNORECASE)
WITHDRAWN = re.compile(  # in a comment of arXiv
    r"^\W*(?:withdrawn|retracted)\b|\b(?:has been|is|was)(?: \w+)? (?:withdrawn|retracted)\b"
    r"|\b(?:withdrawn|retracted) (?:by|due|because)",
    re.IGNORECASE,
)
NO_ABSTRACT = re.compile(
    r"\W*(?:$|withdrawn\b|(?:this|the|our) (?:\w+ ){1,3}?(?:has been|is|was)(?: \w+)? withdrawn\b)", re.IGNORECASE
)
NO_PAPERS = {
    "peer-review",
    "proceedings",
    "proceedings-series",
    "journal",
    "journal-issue",
    "journal-volume",
    "component",
}
CODE = re.compile(
    r"(?<![\w.-])(?:https?://)?(?:www\.)?((?:github\.com|gitlab\.com|bitbucket\.org|codeberg\.org)(?:/[\w.-]*\w){2,})",
    re.IGNORECASE,
)


class NoAnswer(Exception):
    """Why the paper could not be looked up, in words for the person who asked."""


@lru_cache
def look_up(paper: str) -> Paper:
    """What can be found out about a paper within a few seconds; never an error.

    Args:
        paper: an arXiv link or id, a DOI, a title, or the path of a PDF.
    """
    known, failure = [Paper()], []  # what is learnt on the way stays when the rest fails
    begin = time.monotonic()

    def find() -> None:
        try:
            _find(paper, known)
        except NoAnswer as reason:
            failure.append(str(reason))
        except Exception as error:  # of a file or an answer such as nobody has thought of
            failure.append(f"the look-up failed ({type(error).__name__}: {clean(str(error))[:80]})")

    if sys.stderr.isatty():
        print("  looking it up ...", end="\r", file=sys.stderr, flush=True)
    # A daemon, because neither a name server nor a page of a PDF knows of any limit
    ended = _ends_within(SECONDS, find)
    spent[paper] = time.monotonic() - begin
    if not ended:
        failure.append(f"no answer in {SECONDS} seconds")
    found = known[-1]
    if failure:
        missing = [name for name in ("title", "authors", "year", "venue") if not getattr(found, name)]
        _say(f"{failure[0]}; please fill in {', '.join(missing)}" if missing else failure[0])
    elif found.paper_url or found.authors:
        said = f"found: {found.title} ({', '.join(filter(None, [found.venue, found.year]))})".removesuffix(" ()")
        said += f", {found.note.upper()}" if found.note else ""
        _say(said + (f"; code: {found.official_code}" if found.official_code else ""))
    return found


@lru_cache
def stated(paper: str) -> dict[str, str]:
    """The settings of which a PDF states one value, by the name of their answer, in what is left of the few seconds."""
    path, found = _path(paper), {}
    if not path:
        return {}

    def read() -> None:
        with suppress(Exception):  # what is wrong with the file is told by the look-up
            found.update(_settings(path))

    if not _ends_within(max(0, SECONDS - spent.get(paper, 0)), read):
        _say(
            f"reading the settings in {_short(path.name)} takes longer than {SECONDS} seconds: python read.py has time"
        )
        return {}
    if found:
        _say(f"the paper states, as proposals: {', '.join(found)}")
    return found


def _ends_within(seconds: float, work: Callable[[], None]) -> bool:
    """Whether ``work`` ends in time; nothing waits for it afterwards."""
    worker = Thread(target=work, daemon=True)
    worker.start()
    worker.join(seconds)
    return not worker.is_alive()


def _say(line: str) -> None:
    print(f"  {line}", file=sys.stderr, flush=True)


def _find(paper: str, known: list[Paper]) -> None:
    """Append to ``known`` what is learnt, each time more; NoAnswer where that ends."""
    if path := _path(paper):
        return _from_pdf(path, known)
    link = re.search(r"\]\(\s*(\S+?)\s*\)$", paper)  # as Markdown has it
    bare = (link[1] if link else clean(paper)).strip("'\"“”<>() ").rstrip(".,;")
    if arxiv_id := _arxiv_id(bare):
        _from_arxiv(arxiv_id, known)
    elif doi := _doi(bare):
        _from_crossref(doi, known)
    elif bare.lower().endswith(".pdf") and not re.match("https?:", bare, re.IGNORECASE):
        raise NoAnswer(f"there is no file {_short(bare)}")
    elif match := re.fullmatch(r"(https?://)?(?:[\w-]+\.)+[a-z]{2,}/\S*", bare, re.IGNORECASE):
        known.append(Paper(paper_url=bare if match[1] else f"https://{bare}"))
        raise NoAnswer(f"nobody to ask about {_short(bare)}: an arXiv paper, a DOI, a title or a PDF can be looked up")
    else:
        known.append(Paper(title=clean(paper)))
        _from_title(clean(paper), known)


def _path(paper: str) -> Path | None:
    """The file, if there is one: as typed, in quotes, as a file's link, or as a terminal writes what is dropped on it."""
    typed = paper.strip().strip("'\"")
    typed = unquote(urlsplit(typed).path) if typed.startswith("file://") else typed
    for path in (typed, typed.replace("\\ ", " ")):
        if (path.lower().endswith(".pdf") or "/" in path) and _is_file(path):
            return Path(path).expanduser()
    return None


def _is_file(path: str) -> bool:
    try:
        return Path(path).expanduser().is_file()
    except (OSError, ValueError, RuntimeError):  # too long, a NUL, an unknown ~user: no path at all
        return False


def _arxiv_id(paper: str) -> str | None:
    """The id in an arXiv link, id or DOI, or None for something else. NoAnswer for what only looks like one."""
    link = re.match(rf"(?:https?://)?(?:{ARXIV_HOSTS})/(?:{ARXIV_PAGES})/([^?#]+)", paper, re.IGNORECASE)
    doi = re.match(rf"(?:{DOI_PREFIX})*10\.48550/arxiv\.([^?#]*)", paper, re.IGNORECASE)
    named = re.match(r"(?:arxiv(?: preprint)?\s*[:\s]\s*)*(\S+)(?: \[[\w.-]+\].*)?$", paper, re.IGNORECASE)
    found = link or doi or named
    if not found:
        return None
    given = re.sub(r"(\.pdf|/)+$", "", unquote(found[1]), flags=re.IGNORECASE) if link or doi else found[1]
    if match := re.fullmatch(ARXIV_ID, re.sub(r"V(?=\d+$)", "v", given)):
        return match[0]
    if (
        link
        or doi
        or re.fullmatch(rf"(?!.*\.pdf$)(?:{LIKE_ARXIV_ID})", given, re.IGNORECASE)
        or (
            paper != given and re.match(r"\d", given)  # after "arXiv:"
        )
    ):
        raise NoAnswer(f"{_short(given)} is not an arXiv id; one looks like 1706.03762 or hep-th/9901001")
    return None


def _doi(paper: str) -> str | None:
    """The DOI in what is one, or in a link; None for something else. NoAnswer for what only looks like one."""
    prefix = re.match(rf"(?:{DOI_PREFIX})+", paper, re.IGNORECASE)
    given = unquote(re.split(r"[?#]", paper[prefix.end() :])[0] if prefix else paper)
    if match := re.fullmatch(DOI, given):
        return match[0]
    if (prefix and (prefix[0].strip().lower() != "doi" or given[:3] == "10.")) or re.fullmatch(
        r"10\.\d+(/\S*)?", given
    ):
        raise NoAnswer(f"{_short(given) or 'nothing'} is not a DOI; one looks like 10.1038/nature14539")
    if not re.match("https?://", paper, re.IGNORECASE):
        return None
    match = re.search(rf"[/=]({DOI})", unquote(re.sub(r"[?&](?!id=)\S*", "", paper)))  # as publishers have it
    ending = r"(/(full|pdf|abstract|epdf|html|fulltext)|\.full|\.pdf|\.html|/fulltext\.html)+$"
    doi = match and re.sub(ending, "", match[1])
    return re.sub(r"v\d+$", "", doi) if doi and doi.startswith("10.1101/") else doi  # bioRxiv's versions have none


def _from_arxiv(arxiv_id: str, known: list[Paper]) -> None:
    known.append(known[-1]._replace(paper_url=f"https://arxiv.org/abs/{arxiv_id}"))
    bare = re.sub(r"v\d+$", "", arxiv_id)
    for entry_id, paper in _arxiv_entries({"id_list": arxiv_id, "max_results": "1"}):
        if entry_id == bare:
            known.append(paper._replace(paper_url=known[-1].paper_url))
            if not paper.title:
                raise NoAnswer("arXiv has no title of it")
            return
    raise NoAnswer(f"arXiv knows no paper {arxiv_id}")


def _from_title(title: str, known: list[Paper]) -> None:
    """Take arXiv's paper of just this title, if it has one."""
    words = " ".join(re.findall(r"\w+", readable(title)))
    if not words:
        return
    entries = _arxiv_entries({"search_query": f'ti:"{words[:300]}"', "max_results": "25"})
    same = [paper for _, paper in entries if normal(paper.title) == normal(title)]
    if len(same) > 1:
        raise NoAnswer("arXiv has several papers of this title: " + ", ".join(paper.paper_url for paper in same[:5]))
    if not same:
        raise NoAnswer("arXiv has no paper of just this title")
    known.append(same[0])


def _arxiv_entries(query: dict[str, str]) -> list[tuple[str, Paper]]:
    """What arXiv's API answers, as (id without version, paper)."""
    names = {"atom": "http://www.w3.org/2005/Atom", "arxiv": "http://arxiv.org/schemas/atom"}
    url = os.environ.get("PAPER_TEMPLATE_ARXIV_URL", ARXIV)
    answer = _get(url, query, unknown=400)
    if answer is None:
        return []
    try:
        # no encoding but UTF-8, and no entity but XML's own five
        feed = ElementTree.fromstring(answer.decode(), ElementTree.XMLParser(target=_WithoutDoctype()))
    except (ElementTree.ParseError, UnicodeDecodeError, ValueError, RecursionError):
        feed = None
    if feed is None or feed.tag != f"{{{names['atom']}}}feed":
        raise NoAnswer(f"{_host(url)} gave an answer that is not arXiv's")
    entries = []
    for entry in feed.findall("atom:entry", names):
        names_of_text = [
            "atom:id",
            "atom:title",
            "atom:published",
            "atom:summary",
            "arxiv:comment",
            "arxiv:journal_ref",
        ]
        address, title, published, abstract, comment, reference = (
            clean(entry.findtext(name, "", names)) for name in names_of_text
        )
        if match := re.search(rf"/abs/({ARXIV_ID})$", address):
            arxiv_id = re.sub(r"v\d+$", "", match[1])
            bare, note = _without_notice(readable(title))
            gone = WITHDRAWN.search(comment) or NO_ABSTRACT.match(abstract)
            paper = Paper(
                title=bare,
                authors=_people(
                    author.findtext("atom:name", "", names) for author in entry.findall("atom:author", names)
                ),
                year=_year(published[:4]),
                venue=journal(reference),
                paper_url=f"https://arxiv.org/abs/{arxiv_id}",
                official_code=_code(f"{abstract} {comment}"),
                note=note or ("withdrawn" if title and gone else ""),
            )
            entries.append((arxiv_id, paper))
    return entries


class _WithoutDoctype(ElementTree.TreeBuilder):
    """Ends before the first entity is declared: bombs and files of this machine come in that way."""

    def doctype(self, name: str, pubid: str, system: str) -> None:
        raise ValueError("a feed has no doctype")


def _without_notice(title: str) -> tuple[str, str]:
    """The title without the publisher's mark, and that mark in one word."""
    match = RETRACTED.match(title)
    if not match or not title[match.end() :]:
        return title, ""
    return title[match.end() :], "withdrawn" if match[1].lower() == "withdrawn" else "retracted"


def journal(reference: str) -> str:
    """The name in a reference such as ``Phys.Rev.D72:043003,2005``; arXiv where there is none."""
    name = re.sub(r"^(?:in:?\s+|[12]\d{3}\s+)+", "", readable(reference), flags=re.IGNORECASE)
    if re.match(r"10\.|https?:|doi\b|arxiv", name, re.IGNORECASE):
        return "arXiv"
    end = re.search(r"\b(?:vol(?:ume)?|pp?|pages?|no|issue)\b\.?\s*\d|\d(?!\d*(?:st|nd|rd|th)\b)", name, re.IGNORECASE)
    glued = " " not in name and "." in name  # as SPIRES wrote it
    name = (name[: end.start()] if end else name).strip(" ,;:([-–")
    if glued:
        name = re.sub(r"\.(?=\w)", ". ", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name))
    return name if sum(c.isalpha() for c in name) > 1 else "arXiv"


def _code(text: str) -> str:
    """The first link to a repository."""
    match = CODE.search(text.replace("\\_", "_"))
    return f"https://{match[1].removesuffix('.git')}" if match else ""


def _require_paper(work: dict, doi: str) -> str:
    """Whether the paper was retracted, in one word. NoAnswer for what is a notice, a review or a whole volume."""
    if work.get("type") in NO_PAPERS:
        raise NoAnswer(f"{_short(doi)} is a {work['type'].replace('-', ' ')}, and not a paper")
    taken_back = {"retraction": "retracted", "removal": "retracted", "withdrawal": "withdrawn"}
    for update in work.get("update-to") or []:
        if update["DOI"].lower() != doi.lower() and update["type"] not in ("new_version", "new_edition"):
            raise NoAnswer(f"{_short(doi)} is the {update['type']} of {_short(update['DOI'])}, and not the paper")
    updates = [update["type"] for update in [*(work.get("update-to") or []), *(work.get("updated-by") or [])]]
    return next((taken_back[kind] for kind in updates if kind in taken_back), "")


def _from_crossref(doi: str, known: list[Paper]) -> None:
    doi = doi.rstrip(".,;")
    doi = doi.rstrip(")") if doi.count(")") > doi.count("(") else doi
    known.append(known[-1]._replace(paper_url=f"https://doi.org/{quote(doi, safe='/:;()')}"))
    url = os.environ.get("PAPER_TEMPLATE_CROSSREF_URL", CROSSREF)
    answer = _get(url.rstrip("/") + "/" + quote(doi, safe=""), unknown=404)
    if answer is None:
        raise NoAnswer(f"Crossref knows no DOI {_short(doi)}")
    try:
        work = json.loads(answer)["message"]
        note = _require_paper(work, doi)
        title = readable(_first(work.get("title")))
        if match := NOTICE.match(title):
            raise NoAnswer(f"{_short(doi)} is the notice of a {match[1].lower()}, and not the paper")
        title, mark = _without_notice(title)
        subtitle = _first(work.get("subtitle"))
        if title and subtitle and normal(subtitle) not in normal(title):
            title += f": {subtitle}"
        people = [
            " ".join(filter(None, map(person.get, ("given", "family", "suffix")))) or person.get("name") or ""
            for person in work.get("author") or []
        ]
        date = ((work.get("issued") or {}).get("date-parts") or [[None]])[0]
        # the last: a series stands before its volume
        venue = _first((work.get("container-title") or [])[::-1]) or (work.get("event") or {}).get("name", "")
        known.append(
            known[-1]._replace(
                title=readable(title) or known[-1].title,
                official_code=_code(str(work.get("abstract") or "")),
                note=note or mark,
                authors=_people(people) or known[-1].authors,
                year=_year(str(date[0] if date else "")),
                venue=readable(venue),
            )
        )
    except NoAnswer:
        raise
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise NoAnswer(f"{_host(url)} gave an answer that is not Crossref's") from error
    if not known[-1].title:
        raise NoAnswer("Crossref has no title of it")


def _first(texts: list[str] | None) -> str:
    if not isinstance(texts or [], list) or not all(isinstance(text, str) for text in texts or []):
        raise TypeError
    return texts[0] if texts else ""


def _from_pdf(path: Path, known: list[Paper]) -> None:
    """The arXiv stamp or a DOI on the first page, looked up; else what the document says of itself."""
    name = _short(path.name)
    with path.open("rb") as file:
        if b"%PDF-" not in file.read(1024):
            raise NoAnswer(f"{name} is not a PDF")
    try:
        import pypdf
        from pypdf.errors import DependencyError
    except ImportError:
        raise NoAnswer(f"reading {name} needs pypdf (pip install pypdf)") from None
    import logging

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # one line says it all, and it is ours
    try:
        document = pypdf.PdfReader(path)
        if document.is_encrypted and not document.decrypt(""):
            raise NoAnswer(f"{name} is encrypted with a password")
        title, authors = ((document.metadata or {}).get(key) for key in ("/Title", "/Author"))
        page = document.pages[0].extract_text() if document.pages else ""
    except NoAnswer:
        raise
    except DependencyError:
        raise NoAnswer(f"{name} is encrypted, and reading it needs more (pip install 'pypdf[crypto]')") from None
    except Exception:
        raise NoAnswer(f"{name} is a damaged PDF") from None

    title = clean(str(title or ""))
    if doi := re.fullmatch(rf"(?:{DOI_PREFIX})?({DOI})", title, re.IGNORECASE):
        page = f"doi:{doi[1]}\n{page}"
    title = "" if doi or NO_TITLE.fullmatch(title) else readable(title)
    known.append(Paper(title=title, authors=_people(_names(clean(str(authors or "")))) if title else ""))
    # The stamp in the margin, its letters apart or not; then a DOI, as printed at the foot, but not that of an archive
    squeezed = "\n".join("".join(line.split()) for line in page.splitlines())
    dated = rf"arXiv:({ARXIV_ID})\[[a-z-]+(?:\.[A-Za-z-]+)?\]\d\d?[A-Z][a-z][a-z]\d{{4}}"
    alone = rf"^arXiv:({ARXIV_ID})(?:\[[a-z-]+(?:\.[A-Za-z-]+)?\])?(?:\d\d?[A-Z][a-z][a-z]\d{{4}})?$"
    archive = r"(?!10\.5281/)"
    if match := (
        re.search(dated, squeezed)
        or re.search(alone, squeezed, re.MULTILINE)
        or re.search(dated, "".join(page.split()))
    ):
        _from_arxiv(match[1], known)
    elif match := re.search(rf"doi(?:\.org/|:|\s)\s*{archive}({DOI})", page, re.IGNORECASE) or re.search(
        rf"(?<![\w/.]){archive}({DOI})", page
    ):
        _from_crossref(match[1], known)
    elif not title:
        raise NoAnswer(f"{name} names neither an arXiv id nor a DOI, nor its own title")


def _get(url: str, query: dict[str, str] | None = None, *, unknown: int) -> bytes | None:
    """The body of the answer; None for the status by which this server says that it does not know what was asked."""
    import requests  # comes with cookiecutter

    host, last = _host(url), None
    for patience in (3, SECONDS):  # a second try has what is left
        try:
            with requests.get(
                url,
                query,
                headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity"},
                timeout=patience,
                stream=True,
            ) as response:
                if url.startswith("https:") and not response.url.startswith("https:"):
                    raise NoAnswer(f"{host} led to a page without encryption")
                body = response.raw.read(BYTES + 1)
                if len(body) > BYTES:
                    raise NoAnswer(f"{host} gave an answer of more than {BYTES // 2**20} MiB")
                if response.status_code == unknown:
                    return None
                if response.status_code == 200:
                    return body
                last = f"{host} answered with status {response.status_code}"
                time.sleep(0.5)
        except NoAnswer:
            raise
        except requests.Timeout:
            last = f"{host} gave no answer in time"
        except (requests.RequestException, OSError) as error:
            certificate = isinstance(error, requests.exceptions.SSLError)
            last = f"{host} shows a certificate that is not valid" if certificate else f"{host} cannot be reached"
        except Exception as error:  # of urllib3, below requests
            last = f"{host} broke off ({type(error).__name__})"
    raise NoAnswer(last)


def _host(url: str) -> str:
    return urlsplit(url).netloc or url


def _short(text: str) -> str:
    text = clean(text)
    return text if len(text) <= 60 else text[:59] + "…"


def _year(text: str) -> str:
    return text if re.fullmatch(r"[1-9]\d{3}", text) else ""


def _settings(path: Path) -> dict[str, str]:
    """The settings of which the paper states one value, found by the reader that the generated repository has."""
    import pypdf

    import paper_template

    project = Path(__file__).parents[1] / "{{cookiecutter.project_slug}}"
    harness = str(project / "src" / "{{cookiecutter.package_name}}" / "harness")
    if harness not in paper_template.__path__:
        paper_template.__path__.append(harness)
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # it would be copied into the repository
    try:
        from paper_template.reading.offer import answers
    finally:
        sys.dont_write_bytecode = before
    text = "\n\f".join(page.extract_text() for page in pypdf.PdfReader(path).pages)
    return answers(text, project / "configs")


def _names(authors: str) -> list[str]:
    """Names in a document's metadata: A, B and C · Family, Given; Family, Given · Family, Given and Family, Given."""
    parts = authors.split(";") if ";" in authors else re.split(r"\band\b|&", authors)
    if not all(part.count(",") == 1 for part in parts if part.strip()) or (len(parts) == 1 and ";" not in authors):
        parts = re.split(r"[,;]|\band\b|&", authors)
    return [re.sub(r"^([^,]+),([^,]+)$", r"\2 \1", part) for part in parts]


def _people(names) -> str:
    """Names in one line, a comma between two: one within a name would make two of it."""
    names = (clean(readable(name).replace(",", " ")) for name in names)
    return ", ".join(name for name in names if any(c.isalpha() for c in name))  # arXiv has ":" after a collaboration
