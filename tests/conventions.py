"""What CONTRIBUTING.md says of a notebook, as pure functions: one rule each, no file written, no kernel started.

A rule takes a notebook and the path where it stands (or will stand) and returns one message for each thing to mend, so
an empty list means that the rule is kept. RULES holds all of them; test_gates.py shows that each can fail.
"""

import ast
import io
import json
import re
import sys
import tokenize
from collections import defaultdict
from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote

import nbformat
import tomllib
from IPython.core.inputtransformer2 import TransformerManager
from nbformat import NotebookNode
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "extras" / "scripts"))

from roadmap import BADGE, colab_url, repository  # noqa: E402
from run import BRANCHES, KEPT_CELL_METADATA, WIDGETS, format_seconds, sources_hash  # noqa: E402

Rule = Callable[[NotebookNode, Path], list[str]]

SECTIONS = (
    "Why", "The idea", "From scratch", "Train it", "Look inside", "Break it", "Against the record", "Exercises",
    "References",
)  # fmt: skip
CARD_ROWS = ("You will learn", "Before this", "Runs in", "Data")
TAGS = {"check", "hide-input", "exercise", "solution", "nbval-check-output", "result"}
STAMP = {"seconds", "sources", "omit"}
NOTEBOOK_METADATA = {"kernelspec", "language_info", "dlutils", "accelerator", "colab"}
CELLS, WORDS, FIGURES = (25, 70), (900, 2600), (3, 8)  # words: a little slack around the 1,000 to 2,500 asked for
MAX_LINES, MAX_BYTES, MAX_ID, MIN_ALT, MIN_EXERCISES = 30, 500_000, 48, 20, 3
LONG = 6  # lines that are too many to stand in two notebooks, comments and line breaks apart
EXTRAS_FOR_ALL = {"all", "dev", "lab"}  # no lesson needs these on Colab
PACKAGE_HOSTS = tuple(
    ".".join(name) for name in (("pypi", "org"), ("pythonhosted", "org"), ("anaconda", "org"))
)  # in pieces, so that this file keeps its own rule
ABSOLUTE = re.compile(
    r"(?<![\w.:/~-])/(?:home|root|Users|work|tmp|content|mnt|opt|var|private)/|\bfile:///"
    r"|\b[A-Za-z]:[\\/]{1,2}(?:Users|Windows|Program|Temp)",
)
SECRET = re.compile(
    r"\b(?:hf_|gh[pousr]_|sk-|AKIA)[A-Za-z0-9_-]{16,}"
    r"|(?i:api_?key|access_?token|password)\s*=\s*['\"][^'\"]+['\"]"
)


def install_cell(*extras: str) -> str:
    """Return the source of a notebook's second cell: it installs dlutils with these extras, on Colab only."""
    package = f"dlutils[{','.join(extras)}]" if extras else "dlutils"
    return f'import sys\n\nif "google.colab" in sys.modules:\n    %pip install -q "{package} @ git+{repository()}"'


def extras_needed(nb: NotebookNode) -> list[str]:
    """Return the extras of pyproject.toml that bring a package which the notebook imports, in alphabetical order."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    nodes = [node for cell in code_cells(nb) for node in ast.walk(tree(cell))]
    names = {a.name for node in nodes if isinstance(node, ast.Import) for a in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    imported = {name.split(".")[0] for name in names}
    brings = {
        extra: {Requirement(line).name.replace("-", "_") for line in lines}
        for extra, lines in project["optional-dependencies"].items()
        if extra not in EXTRAS_FOR_ALL
    }
    return sorted(extra for extra, packages in brings.items() if packages & imported)


# What the rules look at


def code_cells(nb: NotebookNode) -> list[NotebookNode]:
    """Return the code cells that hold any code."""
    return [cell for cell in nb.cells if cell.cell_type == "code" and cell.source.strip()]


def prose(nb: NotebookNode) -> Iterator[tuple[NotebookNode, str]]:
    """Yield each Markdown cell and its text without fenced code."""
    for cell in nb.cells:
        if cell.cell_type == "markdown":
            yield cell, re.sub(r"^ *(```|~~~).*?^ *\1`*\s*$", "", cell.source, flags=re.M | re.S)


def headings(nb: NotebookNode) -> list[tuple[int, str, NotebookNode]]:
    """Return level, text and cell of every heading, in order."""
    pattern = re.compile(r"^(#{1,6}) +(.+?)[ #]*$", re.M)
    return [(len(marks), text, cell) for cell, source in prose(nb) for marks, text in pattern.findall(source)]


def tags(cell: NotebookNode) -> set[str]:
    """Return the tags of a cell."""
    return set(cell.metadata.get("tags", []))


def stdout(cell: NotebookNode) -> str:
    """Return what a cell has printed."""
    return "".join(o.text for o in cell.get("outputs", []) if o.output_type == "stream" and o.name == "stdout")


def images(cell: NotebookNode) -> list[tuple[str, NotebookNode]]:
    """Return the kind and the metadata of every picture a cell has drawn."""
    outputs = [o for o in cell.get("outputs", []) if "data" in o]
    return [(kind, o.metadata.get(kind, {})) for o in outputs for kind in o.data if kind.startswith("image/")]


def plain(cell: NotebookNode) -> str:
    """Return the code of a cell with IPython's magics turned into calls."""
    return TransformerManager().transform_cell(cell.source)


@lru_cache(maxsize=4096)
def _parse(source: str) -> ast.Module:
    return ast.parse(TransformerManager().transform_cell(source))


def tree(cell: NotebookNode) -> ast.Module:
    """Return the syntax tree of a code cell."""
    return _parse(cell.source)


def calls(cell: NotebookNode) -> dict[str, list[ast.Call]]:
    """Return the calls in a cell by the name called: `seed_everything(0)` and `dlutils.seed_everything(0)` alike."""
    found: dict[str, list[ast.Call]] = {}
    for node in ast.walk(tree(cell)):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            found.setdefault(name, []).append(node)
    return found


def written_and_printed(nb: NotebookNode) -> Iterator[tuple[NotebookNode, str]]:
    """Yield each cell with its source, and again with each piece of text it has put out."""
    for cell in nb.cells:
        yield cell, cell.source
        for output in cell.get("outputs", []):
            yield cell, output.get("text", "")
            yield cell, "\n".join(output.get("traceback", []))
            yield from ((cell, str(data)) for kind, data in output.get("data", {}).items() if "image/" not in kind)


# The notebook as a whole


def stands_in_a_branch(nb: NotebookNode, path: Path) -> list[str]:
    """The file is branch/NN_topic.ipynb."""
    name = path.relative_to(ROOT).as_posix()
    if re.fullmatch(rf"(?:{'|'.join(BRANCHES)})/(?:[a-z_]+/)*\d\d_[a-z0-9_]+\.ipynb", name):
        return []
    return [f"{name}: name it branch/NN_topic.ipynb, in small letters"]


def has_current_format(nb: NotebookNode, path: Path) -> list[str]:
    """nbformat 4.5, valid, kernelspec python3."""
    found = []
    if (nb.nbformat, nb.nbformat_minor) != (4, 5):
        found.append(f"nbformat is {nb.nbformat}.{nb.nbformat_minor}: convert it to 4.5")
    if nb.metadata.get("kernelspec", {}).get("name") != "python3":
        found.append("the kernelspec must be python3")
    try:
        nbformat.validate(deepcopy(nb))
    except nbformat.ValidationError as error:
        found.append(f"not a valid notebook: {error.message}")
    return found


def has_known_metadata(nb: NotebookNode, path: Path) -> list[str]:
    """No timings, scrolled or collapsed states, or traces of an editor; nothing unknown in metadata.dlutils."""
    found = [f"remove metadata.{key}" for key in nb.metadata.keys() - NOTEBOOK_METADATA - {"widgets"}]
    found += [f"remove metadata.dlutils.{key}" for key in nb.metadata.get("dlutils", {}).keys() - STAMP]
    if nb.metadata.get("accelerator", "GPU") != "GPU":
        found.append("metadata.accelerator can only be GPU")
    for cell in nb.cells:
        found += [f"{cell.id}: remove metadata.{key}" for key in cell.metadata.keys() - set(KEPT_CELL_METADATA)]
        extra = cell.metadata.get("jupyter", {}).keys() - {"source_hidden"}
        found += [f"{cell.id}: remove metadata.jupyter.{key}" for key in extra]
    return found


def has_known_tags(nb: NotebookNode, path: Path) -> list[str]:
    """Only the tags CONTRIBUTING.md names, so that no cell opts out of being run and checked."""
    found = [f"{cell.id}: unknown tag {tag!r}" for cell in nb.cells for tag in sorted(tags(cell) - TAGS)]
    comment = re.compile(r"^\s*#\s*(?:NBVAL_|PYTEST_VALIDATE)", re.M)
    return found + [f"{cell.id}: use a tag, not an nbval comment" for cell in nb.cells if comment.search(cell.source)]


def has_slugs_for_ids(nb: NotebookNode, path: Path) -> list[str]:
    """Cell ids are unique short slugs."""
    found, seen = [], set()
    for cell in nb.cells:
        slug = re.fullmatch(r"[a-z0-9]+(?:-[a-z0-9]+)*", cell.id) and not re.fullmatch(r"[0-9a-f]{8}", cell.id)
        if not slug or len(cell.id) > MAX_ID:
            found.append(f"{cell.id}: the id is not a short slug: delete it, and `make run` gives a new one")
        if cell.id in seen:
            found.append(f"{cell.id}: two cells have this id")
        seen.add(cell.id)
    return found


def has_no_widgets(nb: NotebookNode, path: Path) -> list[str]:
    """No widget state: GitHub's preview breaks on it."""
    found = ["remove metadata.widgets"] if "widgets" in nb.metadata else []
    for cell in nb.cells:
        if any(WIDGETS in output.get("data", {}) for output in cell.get("outputs", [])):
            found.append(f"{cell.id}: the output is a widget: print text instead")
    return found


def is_small_enough(nb: NotebookNode, path: Path) -> list[str]:
    """Under 500 kB with outputs."""
    size = len(nbformat.writes(nb).encode())
    if size <= MAX_BYTES:
        return []
    largest = max(nb.cells, key=lambda cell: len(json.dumps(cell)))
    return [f"{size / 1000:.0f} kB, more than {MAX_BYTES / 1000:.0f}: shrink the output of {largest.id}"]


def has_the_right_number_of_cells(nb: NotebookNode, path: Path) -> list[str]:
    """25 to 70 cells."""
    return _between(len(nb.cells), CELLS, "cells")


def has_the_right_number_of_words(nb: NotebookNode, path: Path) -> list[str]:
    """About 1,000 to 2,500 words of prose; code, formulas, tags and addresses do not count."""
    text = "\n".join(source for _, source in prose(nb))
    text = re.sub(r"\$\$.*?\$\$|\$[^$\n]+\$|`[^`\n]*`|<[^>]+>|\]\([^)]*\)", " ", text, flags=re.S)
    return _between(len(re.findall(r"[^\W\d_][\w'’-]*", text)), WORDS, "words")


def has_the_right_number_of_figures(nb: NotebookNode, path: Path) -> list[str]:
    """3 to 8 figures."""
    return _between(sum(len(images(cell)) for cell in nb.cells), FIGURES, "figures")


def _between(number: int, limits: tuple[int, int], what: str) -> list[str]:
    low, high = limits
    return [] if low <= number <= high else [f"{number:,} {what}, not {low:,} to {high:,}"]


# What the reader sees first, and in which order


def has_title_card(nb: NotebookNode, path: Path) -> list[str]:
    """The first cell: title, one sentence, the badge for this very file, four rows."""
    card, found = nb.cells[0], []
    blocks = [block.strip() for block in re.split(r"\n\s*\n", card.source.strip())]
    if card.cell_type != "markdown" or len(blocks) != 4:
        return [f"{card.id}: the card is Markdown in four blocks: # title, one sentence, badge, table"]
    title, sentence, badge, table = blocks
    if not re.fullmatch(r"# \S.*", title):
        found.append(f"{card.id}: begin with `# Title` on a line of its own")
    if not re.fullmatch(r"[^#|!\[].*[.!?]", sentence, re.S) or re.search(r"[.!?]\s+[A-Z]", sentence):
        found.append(f"{card.id}: below the title stands one sentence")
    elif "\n" in sentence:
        found.append(f"{card.id}: keep the sentence on one line, the roadmap shows it")
    right = f"[![Open in Colab]({BADGE})]({colab_url(path.relative_to(ROOT).as_posix())})"
    if badge != right:
        found.append(f"{card.id}: the badge must be {right}")
    rows = re.findall(r"^\| \*\*(.+?)\*\* \| *(.*?) *\|$", table, re.M)
    if tuple(name for name, _ in rows) != CARD_ROWS or not all(text for _, text in rows):
        found.append(f"{card.id}: the table has the rows {', '.join(CARD_ROWS)}, none of them empty")
    return found + [f"{c.id}: only the card has a heading of level 1" for level, _, c in headings(nb)[1:] if level == 1]


def says_what_it_takes(nb: NotebookNode, path: Path) -> list[str]:
    """The row "Runs in" has the CPU time of the stamp, and what is known of the GPU."""
    card = nb.cells[0]
    row = re.search(r"^\| \*\*Runs in\*\* \| CPU: (.+?) · GPU: (.+?) *\|$", card.source, re.M)
    if not row:
        return [f"{card.id}: write `| **Runs in** | CPU: 25 s · GPU: not measured |`"]
    found, measured = [], format_seconds(nb.metadata.get("dlutils", {}).get("seconds", 0.0))
    if row[1] != measured:
        found.append(f"{card.id}: the card says CPU: {row[1]}, the stamp {measured}: use `make run`")
    if row[2] not in ("not measured", "not needed") and not re.match(r"[\d.]+ (?:s|min)\b.*[A-Za-z]{2}", row[2]):
        found.append(f"{card.id}: behind GPU: write `not measured`, `not needed`, or `9 s on an H100`")
    return found


def has_setup_cells(nb: NotebookNode, path: Path) -> list[str]:
    """The second cell installs dlutils on Colab; the third imports, seeds and picks the device. No other installs."""
    install, settings = nb.cells[1], nb.cells[2]
    right = install_cell(*extras_needed(nb))
    if install.cell_type != "code" or install.source.strip() != right:
        return [f"{install.id}: the second cell must be exactly\n{right}"]
    found = []
    needed = ("seed_everything", "get_device", "full_scale")
    missing = [n for n in needed if settings.cell_type != "code" or n not in calls(settings)]
    if missing:
        found.append(f"{settings.id}: the third cell must call {', '.join(missing)}")
    for cell in code_cells(nb):
        if cell is not install and re.search(r"^\s*[%!].*\b(?:pip|conda|mamba|uv|apt(?:-get)?)\b", cell.source, re.M):
            found.append(f"{cell.id}: only the second cell may install anything")
    return found


def has_sections(nb: NotebookNode, path: Path) -> list[str]:
    """The second-level headings of SECTIONS in order, but for those whose omission has a reason in the metadata."""
    texts = [text for level, text, _ in headings(nb) if level == 2]
    omitted, found, start = nb.metadata.get("dlutils", {}).get("omit", {}), [], 0
    found += [f"metadata.dlutils.omit: there is no section {name!r}" for name in omitted.keys() - set(SECTIONS)]
    for name in SECTIONS:
        places = [i for i, text in enumerate(texts) if re.match(rf"{re.escape(name)}\b", text)]
        later = [i for i in places if i >= start]
        if name in omitted:
            if len(omitted[name].strip()) < 10:
                found.append(f"metadata.dlutils.omit: say why {name!r} is omitted")
            if later:
                found.append(f"metadata.dlutils.omit: {name!r} is there, so it is not omitted")
        elif later:
            start = later[0] + 1
        else:
            found.append(f"the section `## {name}` {'stands out of order' if places else 'is missing'}")
    return found


def ends_with_next(nb: NotebookNode, path: Path) -> list[str]:
    """The last cell belongs to the references, and its last line leads on."""
    cell, second = nb.cells[-1], [text for level, text, _ in headings(nb) if level == 2]
    if not second or not second[-1].startswith("References"):
        return [f"{cell.id}: the last section must be the references"]
    line = re.search(r"[^\n]*\Z", cell.source.strip())[0]
    if cell.cell_type != "markdown" or not re.match(r"\*Next:\* .*\[.+\]\(.+\)", line):
        return [f"{cell.id}: the last line must be `*Next:* [title](relative/path.ipynb)`"]
    return []


def links_resolve(nb: NotebookNode, path: Path) -> list[str]:
    """Links to files are relative, stay in the repository and lead to something; so do links to headings."""
    found = []
    for cell, source in prose(nb):
        text = re.sub(r"\$\$.*?\$\$|\$[^$\n]+\$|`[^`\n]*`", "", source, flags=re.S)
        targets = re.findall(r"\]\(\s*<?([^)\s>]+)", text) + re.findall(r"^\[[^\]]+\]:\s+<?([^\s>]+)", text, re.M)
        targets += re.findall(r"""<(?:a|img)\b[^>]*?\b(?:href|src)\s*=\s*["']([^"']+)""", text)
        found += [f"{cell.id}: {problem}" for target in targets if (problem := _broken(target, nb, path))]
    return found


def _broken(target: str, nb: NotebookNode, path: Path) -> str:
    """Say what is wrong with a link, or nothing."""
    if target.startswith((f"{repository()}/blob/", f"{repository()}/tree/")):
        return f"the link to {target} must be relative"
    if re.match(r"[a-z][a-z0-9+.-]*:", target):
        return ""
    name, _, anchor = unquote(target).partition("#")
    file = (path.parent / name).resolve() if name else path
    if name.startswith("/") or not file.is_relative_to(ROOT):
        return f"the link to {target} leads out of the repository"
    if name and not file.exists():
        return f"the link to {target} leads nowhere"
    if anchor and anchor not in (_anchors(nb) if not name else _anchors_of_file(file)):
        return f"there is no heading for the link to {target}"
    return ""


def _anchors(nb: NotebookNode) -> set[str]:
    """Return the anchors of the headings, as GitHub and as Jupyter make them."""
    texts = [re.sub(r"[`*]", "", text) for _, text, _ in headings(nb)]
    github = {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in texts}
    return github | {text.replace(" ", "-") for text in texts}


def _anchors_of_file(file: Path) -> set[str]:
    if file.suffix == ".ipynb":
        return _anchors(nbformat.read(file, as_version=4))
    if file.suffix == ".md":
        cell = nbformat.v4.new_markdown_cell(file.read_text(encoding="utf-8"))
        return _anchors(nbformat.v4.new_notebook(cells=[cell]))
    return set()


# Code and its outputs


def was_run_in_order(nb: NotebookNode, path: Path) -> list[str]:
    """Every code cell was executed, from a fresh kernel, top to bottom."""
    pairs = enumerate(code_cells(nb), start=1)
    wrong = [f"{c.id}: has execution count {c.execution_count}, not {n}" for n, c in pairs if c.execution_count != n]
    return [f"{wrong[0]}: use `make run`"] if wrong else []


def stored_no_error(nb: NotebookNode, path: Path) -> list[str]:
    """No output is an exception."""
    outputs = [(cell.id, output) for cell in nb.cells for output in cell.get("outputs", [])]
    return [f"{name}: stored {o.ename}: mend it and run it again" for name, o in outputs if o.output_type == "error"]


def has_fresh_stamp(nb: NotebookNode, path: Path) -> list[str]:
    """The outputs came from this very code."""
    stamp = nb.metadata.get("dlutils", {})
    if not isinstance(stamp.get("seconds"), int | float) or stamp["seconds"] <= 0 or "sources" not in stamp:
        return ["there is no stamp: use `make run`"]
    if stamp["sources"] != sources_hash(nb):
        return ["the code was edited after its outputs were made: use `make run`"]
    return []


def has_alt_texts(nb: NotebookNode, path: Path) -> list[str]:
    """Every picture, drawn or linked, says in words what a reader should see."""
    found = []
    for cell in nb.cells:
        for kind, metadata in images(cell):
            if len(metadata.get("alt", "").strip()) < MIN_ALT:
                found.append(f"{cell.id}: {kind} without alternative text: use show(fig, alt=...)")
    for cell, source in prose(nb):
        alts = [alt for alt, target in re.findall(r"!\[([^\]]*)\]\(\s*<?([^)\s>]+)", source) if target != BADGE]
        for tag in re.findall(r"<img\b[^>]*>", source):
            alts += re.findall(r"""\balt\s*=\s*["']([^"']*)""", tag) or [""]
        found += [f"{cell.id}: an image needs alternative text" for alt in alts if len(alt.strip()) < MIN_ALT]
    return found


def has_one_result(nb: NotebookNode, path: Path) -> list[str]:
    """One cell is tagged `result` and prints one line."""
    tagged = [cell for cell in nb.cells if "result" in tags(cell)]
    if len(tagged) != 1:
        return [f"{len(tagged)} cells are tagged `result`: tag exactly one"]
    lines = stdout(tagged[0]).strip().splitlines()
    return [] if len(lines) == 1 else [f"{tagged[0].id}: the result must print one line, not {len(lines)}"]


def has_short_code_cells(nb: NotebookNode, path: Path) -> list[str]:
    """No code cell is longer than 30 lines."""
    lengths = [(cell.id, len(cell.source.strip().splitlines())) for cell in code_cells(nb)]
    return [f"{name}: {length} lines, more than {MAX_LINES}" for name, length in lengths if length > MAX_LINES]


def swallows_no_exception(nb: NotebookNode, path: Path) -> list[str]:
    """No `except` that does nothing: it would hide a failure."""
    found = []
    for cell in code_cells(nb):
        handlers = [node for node in ast.walk(tree(cell)) if isinstance(node, ast.ExceptHandler)]
        if any(all(_does_nothing(statement) for statement in handler.body) for handler in handlers):
            found.append(f"{cell.id}: `except` with nothing but pass hides a failure")
        if "suppress" in calls(cell):
            found.append(f"{cell.id}: contextlib.suppress hides a failure")
    return found


def _does_nothing(statement: ast.stmt) -> bool:
    constant = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    return constant or isinstance(statement, ast.Pass | ast.Continue)


def has_no_notebook_tqdm(nb: NotebookNode, path: Path) -> list[str]:
    """tqdm in text mode: `from tqdm import tqdm`."""
    widget = re.compile(r"\btqdm\.(?:notebook|auto(?:notebook)?)\b|\btqdm_notebook\b|\btqdm import (?:auto|notebook)")
    return [f"{c.id}: write `from tqdm import tqdm`" for c in code_cells(nb) if widget.search(c.source)]


def has_no_trailing_semicolon(nb: NotebookNode, path: Path) -> list[str]:
    """A `;` at the end of a line hides an output from Jupyter, but not from nbval."""
    found, end = [], (tokenize.NEWLINE, tokenize.COMMENT, tokenize.ENDMARKER)
    for cell in code_cells(nb):
        tokens = list(tokenize.generate_tokens(io.StringIO(plain(cell)).readline))
        if any(a.string == ";" and a.type == tokenize.OP and b.type in end for a, b in pairwise(tokens)):
            found.append(f"{cell.id}: remove the `;` at the end of a line: write `_ = ax.plot(...)`")
    return found


def has_no_absolute_path(nb: NotebookNode, path: Path) -> list[str]:
    """No path that exists on one machine only, neither written nor printed."""
    hits = [(cell, ABSOLUTE.search(text)) for cell, text in written_and_printed(nb)]
    return [f"{cell.id}: absolute path {hit.string[hit.start() :][:30]!r}" for cell, hit in hits if hit]


def has_no_package_host(nb: NotebookNode, path: Path) -> list[str]:
    """Where packages come from is the reader's business."""
    pairs = [(cell, host) for cell, text in written_and_printed(nb) for host in PACKAGE_HOSTS if host in text]
    return [f"{cell.id}: remove {host}" for cell, host in pairs]


def has_no_secret(nb: NotebookNode, path: Path) -> list[str]:
    """No key, token or password."""
    return [f"{c.id}: remove what looks like a key" for c, text in written_and_printed(nb) if SECRET.search(text)]


# Exercises


def exercises(nb: NotebookNode) -> list[list[NotebookNode]]:
    """Return the cells from each heading `### Exercise …` on: four for an exercise that is whole."""
    starts = [i for i, cell in enumerate(nb.cells) if _is_task(cell)]
    return [nb.cells[i : i + 4] for i in starts]


def _is_task(cell: NotebookNode) -> bool:
    return cell.cell_type == "markdown" and bool(re.search(r"^### Exercise\b", cell.source, re.M))


def has_whole_exercises(nb: NotebookNode, path: Path) -> list[str]:
    """At least three exercises of four cells each, numbered; no part of one stands elsewhere."""
    groups, found = exercises(nb), []
    if len(groups) < MIN_EXERCISES:
        found.append(f"{len(groups)} exercises, fewer than {MIN_EXERCISES}")
    for number, cells in enumerate(groups, start=1):
        found += [f"{cells[0].id}: {problem}" for problem in _problems(number, cells)]
    inside = {cell.id for cells in groups for cell in cells}
    strays = [c for c in nb.cells if tags(c) & {"check", "exercise", "solution"} and c.id not in inside]
    return found + [f"{cell.id}: belongs to no `### Exercise N`" for cell in strays]


def _problems(number: int, cells: list[NotebookNode]) -> Iterator[str]:
    """Say what is wrong with one exercise."""
    if [cell.cell_type for cell in cells] != ["markdown", "code", "code", "code"]:
        yield "an exercise is four cells: text, check, stub, solution"
        return
    task, check, stub, solution = cells
    if re.findall(r"^### Exercise\b(.*?):(?= *\S)", task.source, re.M) != [f" {number}"]:
        yield f"write the heading `### Exercise {number}: its name`, one to a cell"
    if not re.search(r"<details>\s*<summary>Hint</summary>.*\S.*</details>", task.source, re.S):
        yield "give a hint in <details><summary>Hint</summary> … </details>"
    wanted = (
        (check, {"check", "hide-input"}), (stub, {"exercise", "nbval-check-output"}),
        (solution, {"solution", "nbval-check-output"}),
    )  # fmt: skip
    for cell, right in wanted:
        if tags(cell) != right:
            yield f"tag {cell.id} with {', '.join(sorted(right))} and nothing else"
    if not all(cell.metadata.get("jupyter", {}).get("source_hidden") for cell in (check, solution)):
        yield "hide check and solution: metadata jupyter.source_hidden: true"
    if solution.metadata.get("cellView") != "form" or not re.match(r"# ?@title Solution\b", solution.source):
        yield "fold the solution on Colab: cellView: form, first line `#@title Solution`"
    names = _check_names(check, number)
    if len(names) != 1:
        yield f'the check cell must define one function decorated with @exercise("Exercise {number}")'
    elif not all(names[0] in calls(cell) for cell in (stub, solution)):
        yield f"stub and solution must both call {names[0]}"
    if shared := _defined(stub) & _defined(solution):
        yield f"the solution must not define {', '.join(sorted(shared))} again: use another name"


def _check_names(check: NotebookNode, number: int) -> list[str]:
    """Return the functions that a check cell decorates with ``@exercise("Exercise N…")``."""
    title = re.compile(rf"exercise\(f?['\"]Exercise {number}\b")
    functions = [node for node in tree(check).body if isinstance(node, ast.FunctionDef)]
    return [f.name for f in functions if any(title.search(ast.unparse(d)) for d in f.decorator_list)]


def _defined(cell: NotebookNode) -> set[str]:
    """Return the names that a cell defines or assigns at its top level."""
    found = {n.name for n in tree(cell).body if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    assignments = [n for n in tree(cell).body if isinstance(n, ast.Assign | ast.AnnAssign)]
    for node in assignments:
        found |= {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    return found - {"_"}


def has_right_verdicts(nb: NotebookNode, path: Path) -> list[str]:
    """Each untouched stub prints "… not yet", each solution "✔", and nothing else."""
    found = []
    for cell in nb.cells:
        for tag, pattern in (("exercise", r"… .*not yet.*"), ("solution", r"✔ .*")):
            if tag in tags(cell) and not re.fullmatch(pattern, stdout(cell).strip()):
                found.append(f"{cell.id}: the {tag} prints {stdout(cell).strip()!r}, which does not match {pattern!r}")
    return found


# Notebooks beside each other


def pasted(notebooks: dict[str, NotebookNode]) -> list[str]:
    """Return a message for each long piece of code that stands in two notebooks: a cell, a function or a class."""
    places: dict[str, dict[str, str]] = defaultdict(dict)
    for name, nb in notebooks.items():
        for cell in code_cells(nb)[2:]:  # the first two set up, alike everywhere
            definitions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
            parts = [tree(cell), *(node for node in tree(cell).body if isinstance(node, definitions))]
            for code in map(ast.unparse, parts):
                if len(code.splitlines()) >= LONG:
                    places[code][name] = cell.id
    return [
        ", ".join(f"{name} ({cell})" for name, cell in found.items()) + f" have in common:\n{code}"
        for code, found in places.items()
        if len(found) > 1
    ]


RULES: tuple[Rule, ...] = (
    stands_in_a_branch, has_current_format, has_known_metadata, has_known_tags, has_slugs_for_ids, has_no_widgets,
    is_small_enough, has_the_right_number_of_cells, has_the_right_number_of_words, has_the_right_number_of_figures,
    has_title_card, says_what_it_takes, has_setup_cells, has_sections, ends_with_next, links_resolve,
    was_run_in_order, stored_no_error, has_fresh_stamp, has_alt_texts, has_one_result, has_short_code_cells,
    swallows_no_exception, has_no_notebook_tqdm, has_no_trailing_semicolon, has_no_absolute_path, has_no_package_host,
    has_no_secret, has_whole_exercises, has_right_verdicts,
)  # fmt: skip
