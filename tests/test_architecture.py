"""The house stands as DESIGN.md, part 2, draws it: imports run one way.

What is read is the source, as a syntax tree: nothing is imported. An import counts wherever it stands, since it is
run when its function is: inside a function, a ``try`` or a class body as at the top. Only those under
``if TYPE_CHECKING:`` are not run, and count nowhere: a name in an annotation needs no module.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LAYERS: dict[str, int] = {  # by the longest name that fits; a module imports its own layer and those below
    "kd_trainable": 0,
    "kd_trainable.interrupts": 0,
    "kd_trainable.vocabulary": 0,
    "kd_trainable.records": 1,
    "kd_trainable.resolve": 1,
    "kd_trainable.rules": 1,
    "kd_trainable.spec": 1,
    "kd_trainable.taps": 1,
    "kd_trainable.terms": 1,
    "kd_trainable.values": 1,
    "kd_trainable.data": 2,
    "kd_trainable.methods": 2,
    "kd_trainable.models": 2,
    "kd_trainable.teacher": 3,
    "kd_trainable.logits": 3,
    "kd_trainable.shards": 2,
    "kd_trainable.engine": 4,
    "kd_trainable.export": 4,
    "kd_trainable.tuning": 5,
    "sweeps": 6,
}
TABLES = {"kd_trainable.data", "kd_trainable.methods", "kd_trainable.models"}  # of names, in their __init__
FOR_ANALYSIS = {"kd_trainable.interrupts", "kd_trainable.records", "kd_trainable.vocabulary"}
WITHOUT_TORCH = {
    f"kd_trainable.{name}" for name in ("records", "resolve", "rules", "shards", "spec", "taps", "terms", "values")
}
TORCHES = {"torch", "torchvision", "safetensors", "jaxtyping"}
LONGEST = 250


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def files() -> dict[str, Path]:
    """module -> file, of the three folders."""
    folders = ("kd_trainable", "analysis", "sweeps")
    return {name_of(path): path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))}


def executed(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those under ``if TYPE_CHECKING:``."""
    for node in ast.iter_child_nodes(tree):
        yield node
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            for other in node.orelse:
                yield other
                yield from executed(other)
        else:
            yield from executed(node)


def imports(module: str, source: str, modules: set[str]) -> set[str]:
    """What a module imports: of ours the very modules, of others the package."""
    found: set[str] = set()
    for node in executed(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module}: a relative import"
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= inner & modules | ({str(node.module)} if inner - modules else set())
    return {name if name.partition(".")[0] in OURS else name.partition(".")[0] for name in found}


OURS = {"kd_trainable", "analysis", "sweeps"}


def layer(module: str) -> int | None:
    """None for a module that has no place yet."""
    fitting = [name for name in LAYERS if module == name or (name != "kd_trainable" and module.startswith(f"{name}."))]
    return LAYERS[max(fitting, key=len)] if fitting else None


def faults(module: str, imported: set[str]) -> list[str]:
    """The rules of DESIGN.md that a module breaks by what it imports."""
    package, said = module.partition(".")[0], []
    for other in sorted(imported - {module}):
        mine, theirs = layer(module), layer(other)
        if other.partition(".")[0] == "sweeps":
            said.append(f"{module} imports {other}: nobody imports sweeps")
        elif other.partition(".")[0] == "analysis" and package not in ("analysis", "sweeps"):
            said.append(f"{module} imports {other}: only sweeps import analysis")
        elif package == "analysis" and other.partition(".")[0] == "kd_trainable" and other not in FOR_ANALYSIS:
            said.append(f"{module} imports {other}: analysis imports records and vocabulary alone")
        elif module in TABLES and other.startswith("kd_trainable") and other != "kd_trainable.vocabulary":
            said.append(f"{module} imports {other}: a table imports the vocabulary alone")
        elif mine is not None and theirs is not None and theirs > mine and other not in TABLES:
            said.append(f"{module} imports {other}: imports run one way")
        if other == "ray" and not f"{module}.".startswith("kd_trainable.tuning."):
            said.append(f"{module} imports ray: only tuning does")
        torchless = module in WITHOUT_TORCH | TABLES | {"kd_trainable.vocabulary"} or package == "analysis"
        if other in TORCHES and torchless:
            said.append(f"{module} imports {other}: it must do without torch")
    return said


def test_imports_run_one_way() -> None:
    modules = files()
    found = [
        fault for name, path in modules.items() for fault in faults(name, imports(name, path.read_text(), {*modules}))
    ]
    assert found == []
    assert len(modules) >= 55
    assert {name.partition(".")[0] for name in modules} >= {"kd_trainable", "analysis"}


def test_every_module_has_a_place() -> None:
    """A new file outside the folders needs a line in LAYERS, and in DESIGN.md."""
    assert [name for name in files() if name.startswith("kd_trainable") and layer(name) is None] == []


def test_no_file_is_longer_than_a_sitting() -> None:
    paths = [*files().values(), *sorted((ROOT / "tests").rglob("*.py"))]
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in paths}
    assert {path: length for path, length in lengths.items() if length > LONGEST} == {}
    assert len(lengths) >= 75


def test_there_is_no_heap_of_odds_and_ends() -> None:
    assert [name for name in files() if name.rpartition(".")[2] in ("utils", "helpers", "common", "misc")] == []


BAD = [
    ("kd_trainable.vocabulary", "from kd_trainable.spec import RunSpec", "imports run one way"),
    ("kd_trainable.spec", "from kd_trainable.engine import plain", "imports run one way"),
    ("kd_trainable.spec", "from kd_trainable.models import build", "kd_trainable.models.build: imports run one way"),
    ("kd_trainable.spec", "import torch", "it must do without torch"),
    ("kd_trainable.rules", "def late():\n    from torch.nn import Module", "it must do without torch"),
    ("kd_trainable.data", "from kd_trainable.spec import RunSpec", "a table imports the vocabulary alone"),
    ("kd_trainable.methods", "from kd_trainable.methods import kd", "a table imports the vocabulary alone"),
    ("kd_trainable.models.vgg", "import kd_trainable.teacher", "imports run one way"),
    ("kd_trainable.data.load", "try:\n    import kd_trainable.logits\nexcept ImportError: ...", "imports run one way"),
    ("kd_trainable.teacher", "from kd_trainable.engine.plain import PlainRun", "imports run one way"),
    ("kd_trainable.engine.plain", "from kd_trainable.tuning.store import Storage", "imports run one way"),
    ("kd_trainable.engine.plain", "import ray.tune", "only tuning does"),
    ("kd_trainable.tuning.sweep", "from analysis import tables", "only sweeps import analysis"),
    ("kd_trainable.tuning.sweep", "from sweeps.digits_grid import main", "nobody imports sweeps"),
    ("sweeps.one", "import sweeps.other", "nobody imports sweeps"),
    ("sweeps.one", "import ray", "only tuning does"),
    ("analysis.frames", "from kd_trainable.spec import RunSpec", "analysis imports records and vocabulary alone"),
    ("analysis.frames", "from kd_trainable import spec", "analysis imports records and vocabulary alone"),
    ("analysis.plots", "import torch.nn as nn", "it must do without torch"),
    ("analysis.plots", "if not TYPE_CHECKING:\n    import sweeps", "nobody imports sweeps"),
]
GOOD = [
    ("kd_trainable.rules", "from kd_trainable.data import DATASETS\nfrom kd_trainable.methods import METHODS"),
    ("kd_trainable.vocabulary", "if TYPE_CHECKING:\n    from torch import Tensor\n    import kd_trainable.tuning.main"),
    ("kd_trainable.logits", "from kd_trainable.teacher import Card\nimport torch"),
    ("kd_trainable.tuning.trainable", "import ray\nfrom ray import tune\nfrom kd_trainable import logits"),
    ("analysis.frames", "from kd_trainable.records import Column\nfrom analysis import grid"),
    ("sweeps.one", "from analysis.summary import summary\nfrom kd_trainable.tuning import sweep"),
]
KNOWN = {*LAYERS, "kd_trainable.models.build", "kd_trainable.methods.kd", "kd_trainable.engine.plain"}


@pytest.mark.parametrize(("module", "source", "said"), BAD)
def test_the_check_finds_what_is_wrong(module: str, source: str, said: str) -> None:
    assert len(found := faults(module, imports(module, source, KNOWN))) == 1
    assert found[0].endswith(said)


@pytest.mark.parametrize(("module", "source"), GOOD)
def test_the_check_lets_pass_what_is_right(module: str, source: str) -> None:
    assert faults(module, imports(module, source, KNOWN)) == []


def test_no_two_test_files_share_a_name() -> None:
    """pytest collects them by that name alone, since the test folders are no packages."""
    names = [path.name for path in (ROOT / "tests").rglob("*.py") if path.name != "conftest.py"]
    assert sorted(names) == sorted(set(names))
