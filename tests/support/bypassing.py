"""Finds texts in the source of a program that people would see, and that come through no catalogue.

Two rules. What looks like words one after the other is a text, wherever it stands. What is handed to something that shows it
is a text even if it is one word: `SHOWING` and `FIELDS` list what shows.
"""

import ast
import re
from collections.abc import Iterator
from typing import Final

MARKING: Final = frozenset({"_", "N_", "translate"})
SHOWING: Final = frozenset(
    {
        "print", "input", "getpass", "error", "Exit", "SystemExit", "SlashError", "say", "_say", "write", "_write", "_print",
        "title", "showinfo", "showwarning", "showerror", "askyesno", "askokcancel", "askquestion", "askretrycancel",
        "askstring", "heading",
    }
)  # fmt: skip
FIELDS: Final = frozenset(
    {"text", "label", "title", "message", "detail", "help", "description", "epilog", "prompt", "placeholder", "tooltip"}
)
FOR_DEVELOPERS: Final = frozenset(
    {"ValueError", "TypeError", "RuntimeError", "AssertionError", "NotImplementedError", "NoPictureError"}
)
SENTENCE: Final = re.compile(r"[^\W\d_]{2,}[,;:.]? [^\W\d_]{2,}")
WORD: Final = re.compile(r"[^\W\d_]{2,}")
NO_WORDS: Final = re.compile(
    r"\x1b\[[?\d;]*[A-Za-z]|(?<![\w/])/[a-z][a-z-]*|--[a-z][a-z-]*|chatserv(?:-\w+|://)?"  # controls, what is typed, names
    r"|(?:\b[bf]g:)?\#[0-9a-f]{6}\b|\b(?:bold|italic|underline|reverse)\b"  # styles
)


def called(node: ast.Call) -> str:
    """The last word of what is called."""
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def shown(node: ast.AST) -> Iterator[ast.Constant]:
    """The literals that a value is made of: through conditions, f-strings, ``+`` and ``format``, not through other calls."""
    match node:
        case ast.Constant(value=str()):
            yield node
        case ast.Call(func=ast.Attribute(value=ast.Constant() | ast.JoinedStr() as inner)):
            yield from (found for part in (inner, *node.args) for found in shown(part))
        case ast.IfExp(body=first, orelse=second):
            yield from (*shown(first), *shown(second))
        case ast.JoinedStr(values=parts) | ast.BoolOp(values=parts) | ast.Tuple(elts=parts) | ast.List(elts=parts):
            yield from (found for part in parts for found in shown(part))
        case ast.BinOp(left=first, right=second):
            yield from (*shown(first), *shown(second))
        case ast.FormattedValue(value=inner) | ast.Starred(value=inner) | ast.NamedExpr(value=inner):
            yield from shown(inner)
        case _:
            pass


def _passed_over(node: ast.AST) -> list[ast.AST]:
    """What of a node is no text for people: marked texts, documentation, types, what is compared or looked up."""
    match node:
        case ast.Call() if called(node) in MARKING:
            return [node]
        case ast.Raise(exc=ast.Call() as made) if called(made) in FOR_DEVELOPERS:
            return [node]
        case ast.Expr(value=ast.Constant()) | ast.MatchValue() | ast.Compare() | ast.Assert():
            return [node]
        case ast.Subscript(slice=looked_up):
            return [looked_up]
        case ast.Dict(keys=keys):
            return [key for key in keys if key is not None]
        case ast.arg(annotation=hint) | ast.AnnAssign(annotation=hint) | ast.FunctionDef(returns=hint):
            return [] if hint is None else [hint]
        case ast.Assign(targets=[ast.Name(id="__all__")], value=names):
            return [names]
        case _:
            return []


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    """Everything in a module that may be a text, or hold one."""
    over = _passed_over(node)
    if node in over:
        return
    yield node
    for child in ast.iter_child_nodes(node):
        if child not in over:
            yield from _walk(child)


def bypassing(source: str) -> list[tuple[int, str]]:
    """The texts of a module that people would see and that are not marked, with their lines."""
    found: dict[tuple[int, int, str], None] = {}
    for node in _walk(ast.parse(source)):
        direct: list[ast.AST] = []
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if SENTENCE.search(NO_WORDS.sub("", node.value)):
                found[node.lineno, node.col_offset, node.value] = None
        elif isinstance(node, ast.Call) and called(node) in SHOWING:
            direct += node.args
        if isinstance(node, ast.Call):
            direct += [keyword.value for keyword in node.keywords if keyword.arg in FIELDS]
        for literal in (each for value in direct for each in shown(value)):
            if WORD.search(NO_WORDS.sub("", str(literal.value))):
                found[literal.lineno, literal.col_offset, str(literal.value)] = None
    return [(line, text) for line, _, text in sorted(found)]
