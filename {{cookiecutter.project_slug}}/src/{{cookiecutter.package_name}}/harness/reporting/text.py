"""How texts, tables and shapes are written, for the terminal and for Markdown."""


def one_line(text: object) -> str:
    """In one line, without characters that no terminal shows."""
    return " ".join("".join(c if c.isprintable() or c in "\u200c\u200d" else " " for c in str(text)).split())


def count(number: int, thing: str) -> str:
    """``1 seed``, ``2 seeds``, ``2 boxes``."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}{'es' if thing.endswith('x') else 's'}"


def columns(rows: list[list[str]], indent: str = "  ") -> list[str]:
    """The cells of each row, padded to the width of their column."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    padded = ([cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in rows)
    return [indent + "  ".join(row).rstrip() for row in padded]


def shape(sizes: list | str) -> str:
    """``[64, 1, 8, 8]`` as ``(64, 1, 8, 8)``; of several tensors each."""
    if isinstance(sizes, str):
        return sizes
    if any(isinstance(size, list | str) for size in sizes):
        return ", ".join(map(shape, sizes))
    return f"({', '.join(map(str, sizes))}{',' if len(sizes) == 1 else ''})"
