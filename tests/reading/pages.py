"""PDF files as TeX makes them: text at places, columns, hyphens, ligatures; and files that cannot be read."""

from pathlib import Path

from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure


def write_pdf(path: Path, pages: list[list[list[str]]]) -> Path:
    """Write a PDF in which each page is a list of columns and each column a list of lines."""
    with PdfPages(path) as document:
        for columns in pages:
            figure = Figure(figsize=(8.5, 11))
            for position, lines in enumerate(columns):
                for number, line in enumerate(lines):
                    figure.text(0.08 + 0.46 * position, 0.95 - 0.016 * number, line, fontsize=7, parse_math=False)
            document.savefig(figure)
    return path
