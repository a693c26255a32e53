"""The paper looked up: a server of this machine answers as arXiv and Crossref do, well and badly."""

import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

import pypdf
import pytest
import yaml
from conftest import ENVIRONMENT, cookiecutter, run
from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject
from test_prompts import answer, asked

from paper_template import lookup
from paper_template.titles import normal, readable

ATTENTION = lookup.Paper(
    title="Attention Is All You Need",
    authors="Ashish Vaswani, Noam Shazeer",
    year="2017",
    venue="arXiv",
    paper_url="https://arxiv.org/abs/1706.03762",
)
NATURE = lookup.Paper(
    title="Deep learning",
    authors="Yann LeCun, Yoshua Bengio",
    year="2015",
    venue="Nature",
    paper_url="https://doi.org/10.1038/nature14539",
)


def comment(text: str) -> str:
    return f'<arxiv:comment xmlns:arxiv="http://arxiv.org/schemas/atom">{text}</arxiv:comment>'


def entry(arxiv_id: str, title: str, *authors: str, more: str = "", summary: str = "The dominant models …") -> str:
    people = "".join(f"<author><name>{escape(name)}</name></author>" for name in authors or ["A. Nonymous"])
    return f"""<entry>
    <id>http://arxiv.org/abs/{arxiv_id}</id>
    <updated>2023-08-02T00:41:18Z</updated>
    <published>2017-06-12T17:57:34Z</published>
    <title>{title}</title>
    <summary>{summary}</summary>
    {people}
    <link href="http://arxiv.org/abs/{arxiv_id}" rel="alternate" type="text/html"/>
    <arxiv:primary_category xmlns:arxiv="http://arxiv.org/schemas/atom" term="cs.CL"/>{more}
  </entry>"""


def feed(*entries: str) -> str:
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<feed xmlns="http://www.w3.org/2005/Atom">
  <title type="html">ArXiv Query: search_query=&amp;id_list=&amp;start=0</title>
  <id>http://arxiv.org/api/cHxbiOdZaP56ODnBPIenZhzg5f8</id>
  <opensearch:totalResults xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/">1</opensearch:totalResults>
  {"".join(entries)}
</feed>"""


def hostile(declaration: str) -> str:
    body = feed(entry("2401.10001v1", "&bomb;"))
    return body.replace("<feed", f"<!DOCTYPE feed [{declaration}]><feed", 1)


JOURNAL = (
    '<arxiv:journal_ref xmlns:arxiv="http://arxiv.org/schemas/atom">Phys. Rev. Lett. 1 (2017) 2</arxiv:journal_ref>'
)
BOMB = '<!ENTITY a "aaaaaaaaaa">' + "".join(
    f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefghi", "bcdefghij", strict=True)
)
ERROR = entry("x", "Error").replace("http://arxiv.org/abs/x", "http://arxiv.org/api/errors#incorrect_id_format_for_x")
ARXIV = {
    "1706.03762": feed(entry("1706.03762v7", "Attention Is All\n  You Need", "Ashish Vaswani", "Noam Shazeer")),
    "1706.03762v5": feed(entry("1706.03762v5", "Attention Is All\n  You Need", "Ashish Vaswani", "Noam Shazeer")),
    "hep-th/9901001": feed(
        entry("hep-th/9901001v3", r"$\alpha$-\textsc{Net} &amp; $\ell_1$", "L. Euler", more=JOURNAL)
    ),
    "math.GT/0309136v1": feed(entry("math/0309136v1", "Another", "Somebody")).replace("math/", "math.GT/"),
    "2401.00001": feed(),
    "2401.00002": (400, feed(ERROR)),
    "2401.00003": feed(ERROR),
    "2401.10001": hostile(BOMB + '<!ENTITY bomb "&j;">'),
    "2401.10002": hostile('<!ENTITY bomb SYSTEM "file:///etc/hostname">'),
    "2401.10003": "<html><body>Sign in to the network of this hotel</body></html>",
    "2401.10004": '{"status": "ok"}',
    "2401.10005": feed(entry("2401.99999v1", "Another paper")),
    "2401.10006": feed(entry("2401.10006v1", "")),
    "2401.50001": feed(
        entry("2401.50001v2", "Cold fusion", more=comment("This paper has been withdrawn by the author"))
    ),
    "2401.50002": feed(entry("2401.50002v2", "Cold fusion", summary="")),
    "2401.50003": feed(entry("2401.50003v2", "Withdrawn: Cold fusion")),
    "2401.50004": feed(entry("2401.50004v1", "Warm", more=comment("5 pages; supersedes the withdrawn 2401.50001"))),
    "2401.50005": feed(entry("2401.50005v1", "Ours", summary="Code: https://github.com/us/ours, see github.com/a/b.")),
    "2401.50006": feed(entry("2401.50006v1", "Ours", more=comment("see gitlab.com/group/sub/ours.git). ICML"))),
    "2401.10007": "",
    "2401.10008": feed(entry("2401.10008v1", "x" * (lookup.BYTES + 1))),
    "2401.10009": (500, "Internal Server Error"),
    "2401.10010": b"\xff\xfe" + feed().encode("utf-16-le"),
    "2401.10011": b"\x1f\x8b\x08not what it says",
    "2401.10012": feed("<a>" * 100_000 + "</a>" * 100_000),
    "2401.20001": "truncated",
    "2401.20002": "slow",
    "2401.20003": "drips",
    "2401.20004": "hangs up",
    "2401.30001": feed(entry("2401.30001v1", "Red alert"), entry("2401.30002v1", "Two")),
    'ti:"attention is all you need"': feed(
        entry("2401.40001v1", "Attention Is All You Need in Speech Separation"),
        entry("1706.03762v7", "Attention Is All You Need", "Ashish Vaswani", "Noam Shazeer"),
    ),
    'ti:"SO 3 Equivariant Poincaré nets R D"': feed(
        entry("2401.40002v2", r"$SO(3)$-equivariant Poincar\'e nets: R&amp;D")
    ),
    'ti:"Twice"': feed(entry("2401.40003v1", "Twice"), entry("2401.40004v1", "TWICE!")),
    'ti:"Nobody wrote this"': feed(entry("2401.40005v1", "Somebody wrote that")),
}
NATURE_WORK = {
    "title": ["Deep learning"],
    "author": [{"given": "Yann", "family": "LeCun", "sequence": "first"}, {"given": "Yoshua", "family": "Bengio"}],
    "issued": {"date-parts": [[2015, 5, 27]]},
    "container-title": ["Nature"],
    "URL": "http://dx.doi.org/10.1038/nature14539",
}
SICI = "10.1002/(SICI)1097-0258(19980815/30)17:15/16<1661::AID-SIM968>3.0.CO;2-2"
CROSSREF = {
    "10.1038/nature14539": NATURE_WORK,
    "10.1145/2939672.2939785": {
        "title": ["XGBoost"],
        "subtitle": ["A Scalable Tree Boosting System"],
        "author": [{"name": "Tree, Inc."}, {"given": "Carlos", "family": "Guestrin"}],
        "issued": {"date-parts": [[None]]},
        "container-title": [],
        "event": {"name": "KDD '16: the 22nd Conference"},
    },
    SICI: {"title": ["R&amp;D <i>in vivo</i>: <mml:math><mml:mi>x</mml:mi></mml:math> &lt; $\\beta$"], "author": None},
    "10.1000/updated": NATURE_WORK | {"updated-by": [{"DOI": "10.1000/notice", "type": "retraction"}]},
    "10.1000/prefixed": NATURE_WORK | {"title": ["RETRACTED ARTICLE: Deep learning"]},
    "10.1000/in-place": NATURE_WORK
    | {"title": ["[Retracted] Deep learning"], "update-to": [{"DOI": "10.1000/IN-PLACE", "type": "retraction"}]},
    "10.1000/corrected": NATURE_WORK | {"updated-by": [{"DOI": "10.1000/x", "type": "correction"}]},
    "10.1000/notice": NATURE_WORK | {"update-to": [{"DOI": "10.1000/updated", "type": "retraction"}]},
    "10.1000/note": NATURE_WORK | {"title": ["Retraction Note: Deep learning"]},
    "10.1000/erratum": NATURE_WORK | {"update-to": [{"DOI": "10.1000/corrected", "type": "erratum"}]},
    "10.1000/second": NATURE_WORK | {"update-to": [{"DOI": "10.1000/first", "type": "new_version"}]},
    "10.1000/review": NATURE_WORK | {"type": "peer-review"},
    "10.1000/volume": NATURE_WORK | {"type": "proceedings"},
    "10.1000/coded": NATURE_WORK | {"abstract": "<jats:p>At <jats:ext-link>https://github.com/us/ours</jats:ext-link>"},
    "10.1000/empty": {"title": []},
    "10.1000/text": {"title": "Not a list"},
    "10.1000/numbers": {"title": [1], "author": [2], "issued": 3},
}


class Archives(BaseHTTPRequestHandler):
    """Answers as arXiv and Crossref do, from the tables above."""

    def do_GET(self):
        self.server.requests.append((self.path, self.headers["User-Agent"]))
        url = urlsplit(self.path)
        if url.path == "/api/query":
            query = parse_qs(url.query)
            name = (query.get("id_list") or query["search_query"])[0]
            answer = ARXIV[name]
            if name == self.server.flaky and len(self.server.requests) == 1:
                answer = (503, "Rate exceeded.")
        else:
            work = CROSSREF.get(unquote(url.path.removeprefix("/works/")))
            answer = json.dumps({"status": "ok", "message": work}) if work else (404, "Resource not found.")
        status, body = answer if isinstance(answer, tuple) else (200, answer)
        if body == "hangs up":
            return
        self.send_response(status)
        if body in ("slow", "drips"):
            self.end_headers()
            while not self.server.ended.wait(0.05 if body == "drips" else None):
                self.wfile.write(b" ")
            return
        body = body.encode() if isinstance(body, str) else body
        self.send_header("Content-Length", str(len(body) + (body == b"truncated")))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def archives(monkeypatch) -> Iterator[ThreadingHTTPServer]:
    """The server, which keeps the requests it was sent."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Archives)
    server.requests, server.flaky, server.ended, server.handle_error = [], None, threading.Event(), lambda *_: None
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    base = f"http://127.0.0.1:{server.server_port}"
    for variables in (os.environ, ENVIRONMENT):
        monkeypatch.setitem(variables, "PAPER_TEMPLATE_ARXIV_URL", f"{base}/api/query")
        monkeypatch.setitem(variables, "PAPER_TEMPLATE_CROSSREF_URL", f"{base}/works")
    server.base = base
    yield server
    server.ended.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def _offline(monkeypatch) -> None:
    for variable in ("PAPER_TEMPLATE_ARXIV_URL", "PAPER_TEMPLATE_CROSSREF_URL"):
        monkeypatch.setenv(variable, ENVIRONMENT[variable])


@pytest.fixture(autouse=True)
def _forget():
    lookup.look_up.cache_clear()


@pytest.mark.parametrize(
    "paper",
    """1706.03762 arXiv:1706.03762 arxiv:1706.03762 arxiv.org/abs/1706.03762 https://arxiv.org/abs/1706.03762
    http://www.arxiv.org/abs/1706.03762 https://arxiv.org/pdf/1706.03762 https://arxiv.org/pdf/1706.03762.pdf
    https://arxiv.org/html/1706.03762 HTTPS://ArXiv.org/ABS/1706.03762 https://arxiv.org/abs/1706.03762?context=cs
    https://arxiv.org/abs/1706.03762#comments https://export.arxiv.org/abs/1706.03762 https://arxiv.org/abs/1706.03762/
    https://ar5iv.labs.arxiv.org/html/1706.03762 https://huggingface.co/papers/1706.03762 10.48550/arXiv.1706.03762
    https://doi.org/10.48550/arXiv.1706.03762 https://arxiv.org/abs/1706.03762. <https://arxiv.org/abs/1706.03762>
    [Attention](https://arxiv.org/abs/1706.03762) "1706.03762" http://xxx.lanl.gov/abs/1706.03762""".split()
    + [
        "arXiv 1706.03762",
        "1706.03762 [cs.CL]",
        "arXiv preprint arXiv:1706.03762",
        "arXiv:1706.03762 [cs.CL] 12 Jun 2017",
    ],
)
def test_arxiv_in_every_form(archives, capsys, paper: str):
    assert lookup.look_up(paper) == ATTENTION
    assert capsys.readouterr().err == "  found: Attention Is All You Need (arXiv, 2017)\n"
    assert archives.requests == [("/api/query?id_list=1706.03762&max_results=1", lookup.USER_AGENT)]


@pytest.mark.parametrize(
    "paper", ["https://arxiv.org/pdf/1706.03762v5", " arXiv:1706.03762v5 [cs.CL] ", "1706.03762v5"]
)
def test_a_version_stays(archives, paper: str):
    assert lookup.look_up(paper) == ATTENTION._replace(paper_url="https://arxiv.org/abs/1706.03762v5")


@pytest.mark.parametrize("paper", ["hep-th/9901001", "https://arxiv.org/abs/hep-th/9901001", "arXiv:hep-th/9901001"])
def test_old_ids_journals_and_latex(archives, paper: str):
    assert lookup.look_up(paper) == (
        "α-Net & ℓ₁",
        "L. Euler",
        "2017",
        "Phys. Rev. Lett.",
        "https://arxiv.org/abs/hep-th/9901001",
        "",
        "",
    )
    assert lookup.look_up("math.GT/0309136v1").title == "Another"


@pytest.mark.parametrize(
    "paper",
    """10.1038/nature14539 doi:10.1038/nature14539 https://doi.org/10.1038/nature14539 doi.org/10.1038/nature14539
    http://dx.doi.org/10.1038%2Fnature14539 https://doi.org/10.1038/nature14539?utm=x
    https://publisher.example/doi/full/10.1038/nature14539 https://publisher.example/doi/10.1038/nature14539.pdf
    doi:https://doi.org/10.1038/nature14539 (10.1038/nature14539) "10.1038/nature14539" 10.1038/nature14539.
    https://publisher.example/article?id=10.1038/nature14539 https://x.example/10.1038/nature14539.full.pdf""".split()
    + ["DOI 10.1038/nature14539"],
)
def test_doi_in_every_form(archives, paper: str):
    assert lookup.look_up(paper) == NATURE
    assert archives.requests == [("/works/10.1038%2Fnature14539", lookup.USER_AGENT)]


def test_what_publishers_write(archives):
    assert lookup.look_up("10.1145/2939672.2939785")[:4] == (
        "XGBoost: A Scalable Tree Boosting System",
        "Tree Inc., Carlos Guestrin",
        "",
        "KDD '16: the 22nd Conference",
    )
    assert lookup.look_up(f"https://doi.org/{SICI}").title == "R&D in vivo: x < β"


def test_a_title_is_taken_when_it_is_the_same(archives):
    assert lookup.look_up("attention is all you need") == ATTENTION
    found = lookup.look_up("SO(3)-Equivariant Poincaré nets; R & D")
    assert (found.title, found.paper_url) == (
        "SO(3)-equivariant Poincaré nets: R&D",
        "https://arxiv.org/abs/2401.40002",
    )


@pytest.mark.parametrize(
    ("title", "said"),
    [
        ("Nobody wrote this", "arXiv has no paper of just this title; please fill in authors, year, venue"),
        ("Twice", "several papers of this title: https://arxiv.org/abs/2401.40003, https://arxiv.org/abs/2401.40004"),
    ],
)
def test_another_title_stands_as_typed(archives, capsys, title: str, said: str):
    assert lookup.look_up(title) == lookup.Paper(title=title)
    assert said in capsys.readouterr().err


FAILURES = [
    ("2401.99999x", "2401.99999x is not an arXiv id; one looks like 1706.03762 or hep-th/9901001"),
    ("2413.00001", "2413.00001 is not an arXiv id"),
    ("https://arxiv.org/abs/17O6.03762", "17O6.03762 is not an arXiv id"),
    ("arXiv:1706", "1706 is not an arXiv id"),
    ("2401.99999x [cs.CL]", "2401.99999x is not an arXiv id"),
    ("10.1038", "10.1038 is not a DOI; one looks like 10.1038/nature14539"),
    ("https://doi.org/nature14539", "nature14539 is not a DOI"),
    ("10.1000/nothing", "Crossref knows no DOI 10.1000/nothing"),
    (
        "https://openreview.net/forum?id=x",
        "nobody to ask about https://openreview.net/forum?id=x: an arXiv paper, a DOI",
    ),
    ("openreview.net/forum?id=x", "nobody to ask about openreview.net"),
    ("https://arxiv.org/list/cs.LG/recent", "nobody to ask about"),
    ("nowhere/paper.pdf", "there is no file nowhere/paper.pdf"),
    *((f"2401.0000{n}", f"arXiv knows no paper 2401.0000{n}") for n in (1, 2, 3)),
    *((f"2401.100{n:02}", "gave an answer that is not arXiv's") for n in (1, 2, 3, 4, 7, 10, 11)),
    *((f"2401.100{n:02}", "arXiv knows no paper") for n in (5, 12)),
    ("10.1000/notice", "10.1000/notice is the retraction of 10.1000/updated, and not the paper"),
    ("10.1000/erratum", "10.1000/erratum is the erratum of 10.1000/corrected, and not the paper"),
    ("10.1000/note", "10.1000/note is the notice of a retraction, and not the paper"),
    ("10.1000/review", "10.1000/review is a peer review, and not a paper"),
    ("10.1000/volume", "10.1000/volume is a proceedings, and not a paper"),
    ("2401.10008", "gave an answer of more than 4 MiB"),
    ("2401.10009", "answered with status 500"),
    ("2401.20001", "gave an answer that is not arXiv's"),
    ("2401.20002", "no answer in 0.5 seconds"),
    ("2401.20003", "no answer in 0.5 seconds"),
    ("2401.20004", "cannot be reached"),
    *((f"10.1000/{name}", "gave an answer that is not Crossref's") for name in ("text", "numbers")),
    ("10.1000/empty", "Crossref has no title of it"),
]


@pytest.mark.parametrize(("paper", "said"), FAILURES, ids=[paper for paper, _ in FAILURES])
def test_what_fails_is_said_in_one_line(archives, capsys, monkeypatch, paper: str, said: str):
    if "0.5 seconds" in said:
        monkeypatch.setattr(lookup, "SECONDS", 0.5)
    found = lookup.look_up(paper)
    line = capsys.readouterr().err
    assert said in line and line.count("\n") == 1 and line.endswith("; please fill in title, authors, year, venue\n")
    assert found == lookup.Paper(paper_url=found.paper_url)
    assert len(archives.requests) <= 2


@pytest.mark.parametrize("paper", ["10.1000/updated", "10.1000/prefixed", "10.1000/in-place"])
def test_a_retraction_is_said_and_is_no_part_of_the_title(archives, capsys, paper: str):
    assert lookup.look_up(paper).title == "Deep learning"
    assert capsys.readouterr().err == "  found: Deep learning (Nature, 2015), RETRACTED\n"


@pytest.mark.parametrize("paper", ["2401.50001", "2401.50002", "2401.50003"])
def test_a_withdrawal_is_said_and_is_no_part_of_the_title(archives, capsys, paper: str):
    assert lookup.look_up(paper).title == "Cold fusion"
    assert capsys.readouterr().err == "  found: Cold fusion (arXiv, 2017), WITHDRAWN\n"


@pytest.mark.parametrize("paper", ["10.1000/corrected", "10.1000/second", "2401.50004"])
def test_a_correction_and_a_new_version_are_no_retraction(archives, capsys, paper: str):
    lookup.look_up(paper)
    assert capsys.readouterr().err.endswith(")\n")


@pytest.mark.parametrize(
    ("paper", "code"),
    [
        ("2401.50005", "https://github.com/us/ours"),
        ("2401.50006", "https://gitlab.com/group/sub/ours"),
        ("10.1000/coded", "https://github.com/us/ours"),
    ],
)
def test_a_link_to_code_is_offered(archives, capsys, tmp_path: Path, paper: str, code: str):
    assert lookup.look_up(paper).official_code == code
    assert capsys.readouterr().err.endswith(f"); code: {code}\n")


def test_the_code_is_offered_at_the_prompt(archives, tmp_path: Path):
    _, shown = answer(tmp_path, paper="2401.50005")
    assert asked(shown)["official_code"][1] == "https://github.com/us/ours"


def test_an_entry_without_a_title(archives, capsys):
    found = lookup.look_up("2401.10006")
    assert found == lookup.Paper("", "A. Nonymous", "2017", "arXiv", "https://arxiv.org/abs/2401.10006")
    assert capsys.readouterr().err == "  arXiv has no title of it; please fill in title\n"


@pytest.mark.parametrize(
    ("reference", "venue"),
    [
        ("ActaAstron.56:1-50,2006", "Acta Astron."),
        ("Phys.Rev.D72:043003,2005", "Phys. Rev. D"),
        ("Phys. Rev. Lett. 1 (2017) 2", "Phys. Rev. Lett."),
        ("Nature 521, 436-444 (2015)", "Nature"),
        ("Physical Review E, vol. 70, 066111, 2004", "Physical Review E"),
        ("In Proc. of ICML, pages 1-8, 2019", "Proc. of ICML"),
        ("NeurIPS 2019", "NeurIPS"),
        ("2016 IEEE Conference on Computer Vision (CVPR), Las Vegas", "IEEE Conference on Computer Vision (CVPR), Las Vegas"),
        ("Proceedings of the 34th International Conference on Machine Learning, PMLR 70:1126-1135, 2017",
         "Proceedings of the 34th International Conference on Machine Learning, PMLR"),
        ("10.1103/PhysRevLett.1.2", "arXiv"),
        ("2019", "arXiv"),
        ("", "arXiv"),
    ],
)  # fmt: skip
def test_a_reference_becomes_the_name_of_its_journal(reference: str, venue: str):
    assert lookup.journal(reference) == venue


def test_one_retry(archives, capsys):
    archives.flaky = "1706.03762"
    assert lookup.look_up("1706.03762") == ATTENTION
    assert len(archives.requests) == 2


def test_no_page_without_encryption(archives, monkeypatch, capsys):
    import requests

    class Downgraded(requests.Session):
        def send(self, request, **kwargs):
            request.url = f"{archives.base}/works/10.1038%2Fnature14539"
            return super().send(request, **kwargs)

    monkeypatch.setenv("PAPER_TEMPLATE_CROSSREF_URL", "https://127.0.0.1/works")
    monkeypatch.setattr(requests.sessions, "Session", Downgraded)
    assert lookup.look_up("10.1038/nature14539").title == ""
    assert "127.0.0.1 led to a page without encryption" in capsys.readouterr().err


def test_offline(capsys):
    assert lookup.look_up("1706.03762") == lookup.Paper(paper_url="https://arxiv.org/abs/1706.03762")
    assert lookup.look_up("A title") == lookup.Paper(title="A title")
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "  127.0.0.1:9 cannot be reached; please fill in title, authors, year, venue",
        "  127.0.0.1:9 cannot be reached; please fill in authors, year, venue",
    ]


def pdf(path: Path, *lines: str, password: str | None = None, **metadata: str) -> Path:
    """A document of one page, with the lines on it."""
    writer = pypdf.PdfWriter()
    page = writer.add_blank_page(612, 792)
    font = DictionaryObject()
    for key, value in {"/Type": "/Font", "/Subtype": "/Type1", "/BaseFont": "/Helvetica"}.items():
        font[NameObject(key)] = NameObject(value)
    page[NameObject("/Resources")] = DictionaryObject(
        {NameObject("/Font"): DictionaryObject({NameObject("/F1"): writer._add_object(font)})}
    )
    content = DecodedStreamObject()
    shown = "".join(f"({line}) Tj 0 -14 Td " for line in lines)
    content.set_data(f"BT /F1 12 Tf 72 720 Td {shown}ET".encode())
    page[NameObject("/Contents")] = writer._add_object(content)
    writer.add_metadata({f"/{key}": value for key, value in metadata.items()})
    if password is not None:
        writer.encrypt(password, owner_password="owner", algorithm="RC4-128")
    writer.write(path)
    return path


def test_pdf_with_a_stamp(archives, tmp_path: Path):
    for stamp in [
        "arXiv:1706.03762v5  [cs.CL]  6 Dec 2017",
        "a r X i v : 1 7 0 6 . 0 3 7 6 2 v 5 [ c s . C L ] 6 D e c 2 0 1 7",
    ]:
        path = pdf(tmp_path / f"{len(stamp)}.pdf", "Attention", "see doi:10.1038/nature14539", stamp, Title="main.dvi")
        assert lookup.look_up(str(path)) == ATTENTION._replace(paper_url="https://arxiv.org/abs/1706.03762v5")


def test_pdf_with_a_doi(archives, tmp_path: Path):
    path = pdf(tmp_path / "a paper.PDF", "Nature 521", "https://doi.org/10.1038/nature14539.", Title="Other")
    assert lookup.look_up(f"'{path}'") == NATURE


def test_pdf_that_cites(archives, tmp_path: Path):
    """Another paper's id in the text is not the stamp, and an archive of code is not the paper."""
    said = "Recent work, arXiv:1706.03762 [cs.CL], and https://doi.org/10.5281/zenodo.5201345"
    assert lookup.look_up(str(pdf(tmp_path / "x.pdf", said, Title="Ours"))) == lookup.Paper(title="Ours")
    path = pdf(tmp_path / "a  b.pdf", "Nothing", Title="doi:10.1038/nature14539")
    for typed in [str(path), str(path).replace(" ", "\\ "), path.as_uri()]:
        assert lookup.look_up(typed) == NATURE


def test_pdf_with_metadata(archives, tmp_path: Path, capsys):
    path = pdf(tmp_path / "x.pdf", "Nothing", Title="Gödel\n & Co", Author="Kurt Gödel and Emmy Noether, E. Artin")
    assert lookup.look_up(str(path))[:5] == ("Gödel & Co", "Kurt Gödel, Emmy Noether, E. Artin", "", "", "")
    for authors in ["Noether, Emmy; Artin, Emil", "Noether, Emmy and Artin, Emil", "Emmy Noether & Emil Artin"]:
        path = pdf(tmp_path / f"{len(authors)}.pdf", "Nothing", Title="Y", Author=authors)
        assert lookup.look_up(str(path)).authors == "Emmy Noether, Emil Artin"
    assert archives.requests == []


def test_pdf_offline(tmp_path: Path, capsys):
    path = pdf(tmp_path / "x.pdf", "arXiv:1706.03762v5 [cs.CL]", Title="Attention", Author="A. Vaswani")
    assert lookup.look_up(str(path))[:5] == ("Attention", "A. Vaswani", "", "", "https://arxiv.org/abs/1706.03762v5")
    assert capsys.readouterr().err.endswith("cannot be reached; please fill in year, venue\n")


def test_pdf_that_is_none_or_tells_nothing(archives, tmp_path: Path, capsys):
    (tmp_path / "text.pdf").write_text("Attention")
    (tmp_path / "cut.pdf").write_bytes(pdf(tmp_path / "whole.pdf", "Attention").read_bytes()[:300])
    (tmp_path / "empty.pdf").touch()
    pdf(tmp_path / "locked.pdf", "arXiv:1706.03762v5 [cs.CL]", password="secret")
    pdf(tmp_path / "word.pdf", "Attention", Title="Microsoft Word - attention_final_2.docx", Author="me")
    for name, said in [
        ("text", "text.pdf is not a PDF"),
        ("empty", "empty.pdf is not a PDF"),
        ("cut", "cut.pdf is a damaged PDF"),
        ("locked", "locked.pdf is encrypted with a password"),
        ("word", "word.pdf names neither an arXiv id nor a DOI, nor its own title"),
    ]:
        assert lookup.look_up(str(tmp_path / f"{name}.pdf")) == lookup.Paper()
        assert capsys.readouterr().err == f"  {said}; please fill in title, authors, year, venue\n"


def test_pdf_that_opens_without_a_password(archives, tmp_path: Path):
    path = pdf(tmp_path / "x.pdf", "arXiv:1706.03762 [cs.CL]", password="")
    assert lookup.look_up(str(path)) == ATTENTION


def test_the_questions_come_filled_in(archives, tmp_path: Path):
    status, shown = answer(tmp_path, paper="https://arxiv.org/pdf/1706.03762v5", venue="NeurIPS")
    assert status == 0, shown
    offered = {key: default for key, (_, default) in asked(shown).items()}
    looked_up = {key: text for key, text in ATTENTION._asdict().items() if key in offered}
    assert offered == offered | looked_up and len(looked_up) == 5
    assert (offered["project_slug"], offered["package_name"]) == (
        "attention-is-all-you-need",
        "attention_is_all_you_need",
    )
    readme = (tmp_path / "attention-is-all-you-need/README.md").read_text()
    assert "https://arxiv.org/abs/1706.03762v5" in readme and "@misc{vaswani2017attention," in readme
    paper = yaml.safe_load((tmp_path / "attention-is-all-you-need/configs/paper.yaml").read_text())
    assert paper["authors"] == ["Ashish Vaswani", "Noam Shazeer"] and paper["venue"] == "NeurIPS"
    assert len(archives.requests) == 1


def test_by_flag_too(archives, tmp_path: Path):
    cookiecutter(tmp_path, paper="10.1038/nature14539")
    readme = (tmp_path / "deep-learning/README.md").read_text()
    assert "by Yann LeCun, Yoshua Bengio (Nature 2015)" in readme and "@misc{lecun2015deep,\n" in readme


def test_nobody_is_asked_without_need(archives, tmp_path: Path):
    cookiecutter(tmp_path)
    known = ATTENTION._asdict() | {"paper_url": "https://example.org"}
    del known["note"]
    cookiecutter(tmp_path, paper="1706.03762", **known)
    cookiecutter(tmp_path, "--config-file", str(Path(__file__).parents[1] / "examples/hamiltonian_nn/answers.yaml"))
    assert archives.requests == []


def test_offline_at_the_prompt(tmp_path: Path):
    status, shown = answer(tmp_path, paper="1706.03762")
    assert status == 0 and "cannot be reached; please fill in" in shown and "Traceback" not in shown
    assert "https://arxiv.org/abs/1706.03762" in (tmp_path / "my-paper/README.md").read_text()


def test_without_pypdf(tmp_path: Path):
    path = pdf(tmp_path / "x.pdf", "arXiv:1706.03762v5 [cs.CL]")
    code = f"import sys; sys.modules['pypdf'] = None; from paper_template.lookup import look_up; look_up({str(path)!r})"
    said = run("python", "-c", code, cwd=Path(__file__).parents[1]).stderr
    assert said.startswith("  reading x.pdf needs pypdf (pip install pypdf); please fill in") and said.count("\n") == 1


@pytest.mark.parametrize(
    ("written", "printed"),
    [
        (r"$\alpha$-\textsc{Net}", "α-Net"),
        (r"$\ell_1$-regularized $O(n \log n)$", "ℓ₁-regularized O(n log n)"),
        (r"G\"odel, Erd\H{o}s--R\'enyi, Poincar\'{e}, \v{C}ech, na{\"\i}ve, \O{}rsted", "Gödel, Erdős–Rényi, Poincaré, Čech, naïve, Ørsted"),
        (r"{\bf Big} $\mathbb{R}^2$ \& $\mathcal{O}(x^{k+y})$", "Big ℝ² & O(x^(k+y))"),
        ("From $5 to $10, or 5%", "From $5 to $10, or 5%"),
        (r"A$^*$, CO$_2$, $k$-means, $\{0,1\}$", "A*, CO₂, k-means, {0,1}"),
        ("R&amp;D <i>in vivo</i>, a < b and <unk> > c", "R&D in vivo, a < b and <unk> > c"),
        ("C++ & C#: {braces} ~ 100 %", "C++ & C#: {braces} ~ 100 %"),
        ("two\n  lines\x07", "two lines"),
        (r"$\frac{4}{3}$-Approximation in $\tilde{O}(\sqrt{T})$", "4/3-Approximation in Õ(√T)"),
        (r"$M_\odot$, $13\,\mathrm{TeV}$, $\alpha$$\beta$, $z \sim 6$, 30$^\circ$C", "M_⊙, 13 TeV, αβ, z ∼ 6, 30°C"),
        ("US$5 and R$ only, Cash $$$ talk", "US$5 and R$ only, Cash $$$ talk"),
        ("<tex>$k$</tex>-nearest, $rm K$-SVD, if a <b, c>, O&amp;apos;Neil", "k-nearest, K-SVD, if a <b, c>, O'Neil"),
        ("{GAN}s ``why not?'' Kullback--Leibler", "GANs “why not?” Kullback–Leibler"),
        ("Growth of the giant clam ( <i>Tridacna maxima</i> ) in <i> situ </i>", "Growth of the giant clam (Tridacna maxima) in situ"),
        ("Foo: an<i>R</i>package", "Foo: an R package"),
        ("Resonances in<mml:math><mml:mi>N</mml:mi></mml:math>-Coupled Oscillators", "Resonances in N-Coupled Oscillators"),
        ("The <i>N</i> -Body Problem, the <i>n</i>th time, <i>k</i>-means, <i>p</i>s", "The N-Body Problem, the nth time, k-means, ps"),
        ("<b>P</b>recise <i>de novo</i> m<scp>ap</scp>", "Precise de novo map"),
        ("CO<sub>2</sub>, <sup>13</sup>C, 10<sup>−3</sup>, Ca<jats:sup>2+</jats:sup>, 20<sup>th</sup>, x<sup>k+y</sup>", "CO₂, ¹³C, 10⁻³, Ca²⁺, 20th, x^(k+y)"),
        ("<mml:math><mml:msub><mml:mi>L</mml:mi><mml:mn>1</mml:mn></mml:msub></mml:math> and <mml:math><mml:msup><mml:mrow><mml:mi>R</mml:mi></mml:mrow><mml:mi>n</mml:mi></mml:msup></mml:math>", "L₁ and Rⁿ"),
    ],
)  # fmt: skip
def test_latex_and_entities(written: str, printed: str):
    assert readable(written) == printed
    assert normal(written) == normal(printed)
