"""Nothing in the product reads a pickle, a YAML or a text that could run code, but for the one restricted reader.

What is read is the source, as a syntax tree.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("kd_trainable", "analysis", "sweeps")
RESTRICTED = "kd_trainable/data/pickles.py"  # its own stand-ins are all that a pickle can call there
PICKLES = ("pickle", "_pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal")
CALLS = ("eval", "exec", "compile", "__import__")
METHODS = ("read_pickle", "to_pickle", "unsafe_load", "full_load", "load_module")
SHELLS = ("os.system", "os.popen", "os.execvp", "pty.spawn")
IMPORTERS = {  # who may turn a text into a module, and whose text that is
    "kd_trainable/resolve.py": "names that the person says, or a table's",
    "kd_trainable/tuning/loggers/book.py": "the table of loggers",
    "analysis/plots/figures.py": "the table of figures",
}


def faults(path: str, source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom) and path != RESTRICTED:
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
            yield from (f"{path}: imports {name}" for name in modules if name.partition(".")[0] in PICKLES)
        if isinstance(node, ast.Call):
            yield from (f"{path}, line {node.lineno}: {said}" for said in _calls(node, path))


def _calls(node: ast.Call, path: str) -> Iterator[str]:
    name, given = ast.unparse(node.func), {k.arg: ast.unparse(k.value) for k in node.keywords}
    last = name.rpartition(".")[2]
    if name in CALLS or (last in METHODS and last != name) or name in SHELLS:
        yield f"{name}()"
    if name == "torch.load" and given.get("weights_only") != "True":
        yield "torch.load without weights_only=True"
    if name in ("np.load", "numpy.load") and given.get("allow_pickle") != "False":
        yield "np.load without allow_pickle=False"
    if name == "yaml.load":
        yield "yaml.load"
    if given.get("shell", "False") != "False":
        yield "shell="
    if last == "import_module" and path not in IMPORTERS:
        yield "import_module of a text"
    if last in ("extractall", "extract") and "tar" in name and given.get("filter") != "'data'":
        yield "a tar without filter='data'"


def sources() -> dict[str, str]:
    paths = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
    return {str(path.relative_to(ROOT)): path.read_text() for path in paths}


def test_no_file_is_read_that_could_run_code() -> None:
    found = sources()
    assert [fault for path, source in found.items() for fault in faults(path, source)] == []
    assert len(found) >= 150


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from cloudpickle import loads",
        "import torch\ntorch.load(path)",
        "torch.load(path, weights_only=False)",
        "np.load(path)",
        "np.load(path, allow_pickle=True)",
        "pd.read_pickle(path)",
        "yaml.load(text)",
        "eval(text)",
        "def f():\n    exec(text)",
        "subprocess.run(text, shell=True)",
        "os.system(text)",
        "importlib.import_module(text)",
        "tarfile.open(path).extractall(folder)\ntar.extractall(folder)",
    ],
)
def test_the_check_finds_what_could(source: str) -> None:
    assert len([*faults("kd_trainable/new.py", source)]) >= 1


def test_the_check_lets_pass_what_could_not() -> None:
    good = "torch.load(path, weights_only=True)\nnp.load(file, allow_pickle=False)\nmodel.eval()\nre.compile(text)"
    assert [*faults("kd_trainable/new.py", good)] == []
