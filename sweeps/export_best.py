"""Exports the winning student of a results folder as one file, with a card and the few lines that load it.

The winner: of the best cell by its mean held-out accuracy, which the sweep's table marks, the seed with the best one.
The test set chooses nothing. What is written is loaded back first, and must say what the student said. No Ray.
"""

import argparse
import json
import shlex
import sys
from pathlib import Path
from typing import Any

import pandas as pd

from analysis import frames
from analysis.places import name_of
from analysis.stats.cells import COMPARABLE
from analysis.stats.winner import winners
from kd_trainable.data.images import ImageData
from kd_trainable.data.load import load
from kd_trainable.export.files import CARD, export
from kd_trainable.export.formats import FORMATS, require_installed
from kd_trainable.resolve import find_own, is_own, require_said
from kd_trainable.tuning import winner as store
from kd_trainable.tuning.flags import Formatter, Parser, run_script
from kd_trainable.tuning.store import Storage
from kd_trainable.vocabulary import InputError, printable, require_known


def parser() -> Parser:
    """RESULTS, and flags that narrow it down to one run."""
    made = Parser(
        prog="export_best.py",
        description=(__doc__ or "").strip(),
        usage="python sweeps/export_best.py [--format NAME] [flags] RESULTS",
        formatter_class=Formatter,
        allow_abbrev=False,
    )
    made.add_argument("results", metavar="RESULTS", help="results folder, or a sweep's: RESULTS/sweeps/NAME; or a URI")
    made.add_argument(
        "--format",
        metavar="NAME",
        default="safetensors",
        help="safetensors (default): weights; onnx: needs no PyTorch; torch_export: a .pt2, to be loaded only by who "
        "trusts its source",
    )
    made.add_argument("--sweep", metavar="NAME", help="the sweep whose winner is meant, where there are several")
    made.add_argument(
        "--student",
        metavar="NAME",
        help="the network that is meant, where there are several; one's own code runs only where it is named here",
    )
    made.add_argument("--dataset", metavar="NAME", help="the data set, where it is one's own code that may run")
    made.add_argument("--run", metavar="ID", help="any finished run, by its spec_id or how that begins, in its place")
    made.add_argument(
        "--data-dir", metavar="DIR", help="a folder that holds the data; default: the cache, if it is there"
    )
    made.add_argument("--out", metavar="DIR", help="default: RESULTS/exports/SWEEP-ID")
    return made


def choose(folders: list[str], student: str | None) -> pd.Series:
    """The winner of the sweeps. Raises InputError where there is none, and where there are several, naming them."""
    found = [winners(frames.runs(folder)).assign(sweep=name_of(folder)) for folder in folders]
    table = pd.concat(found, ignore_index=True).drop_duplicates("spec_id")
    if table.empty:
        raise InputError(
            f"{folders[0]}: no distilled cell has finished on all its seeds; --run ID exports any finished run"
        )
    if student is not None:
        require_known("student", student, sorted(set(table["student"])))
        table = table[table["student"] == student]
    if len(table) > 1:
        raise InputError(_several(table))
    return table.iloc[0]


def _several(table: pd.DataFrame) -> str:
    """Which winners there are, and what chooses one of them."""
    what = [f"{row.student} on {row.dataset}, {row.epochs} epochs, {row.protocol}" for row in table.itertuples()]
    if len(table.drop_duplicates([*COMPARABLE])) == 1:  # so that each is of a sweep of its own
        listed = " or ".join(
            f"--sweep {row.sweep} ({100 * row.mean:.2f} %, n={row.n}, by what selects)" for row in table.itertuples()
        )
        return f"{len(table)} sweeps have a winner of {what[0]}: say {listed}"
    listed = "; ".join(
        f"--run {row.spec_id} ({row.sweep}: {words})" for row, words in zip(table.itertuples(), what, strict=True)
    )
    return f"{len(table)} winners that cannot be compared: say --sweep, --student or --run: {listed}"


def how(winner: pd.Series) -> str:
    """In words, how a winner was chosen."""
    on = "test accuracy, which biases it" if winner["protocol"] == "published" else "held-out accuracy"
    tied = f", the first of {winner['tied'] + 1} that tie" if winner["tied"] else ""
    mean = f"{100 * winner['mean']:.2f} % (n={winner['n']})"
    seed = f", and its best seed, {100 * winner['score']:.2f} %" if winner["n"] > 1 else ""
    return f"the best cell of sweep {winner['sweep']} by mean {on}, {mean}{tied}{seed}"


def no_gain(winner: pd.Series) -> str:
    """A line for a winner that distillation has not made better; '' for any other."""
    if pd.isna(winner["lead"]) or winner["lead"] > 0:
        return ""
    lead = f"{100 * winner['lead']:+.2f} points"
    return f"note: no gain; the best cell lies {lead} from its undistilled baseline by the accuracy that selects"


def exported(given: argparse.Namespace) -> tuple[Storage, str, dict[str, Any]]:
    """Chooses, exports and checks; the storage and folder that it now lies in, and its card."""
    require_known("format", given.format, FORMATS)
    require_installed(given.format)
    where = store.root(given.results)
    if given.run is not None:
        name = store.full_name(where, given.run)
        sweep = store.sweep_of(where, name)
        chosen: dict[str, Any] = {"sweep": sweep or None, "how": "named by --run, not chosen by its accuracy"}
    else:
        winner = choose(folders_of(given.results, given.sweep), given.student)
        name, sweep = winner["spec_id"], winner["sweep"]
        numbers = {column: float(winner[column]) for column in ("score", "mean", "lead") if pd.notna(winner[column])}
        chosen = {"sweep": sweep, "how": how(winner), **numbers, "n": int(winner["n"])}
        if line := no_gain(winner):
            print(line, file=sys.stderr)
    run = store.trained(where, name)
    require_said("student", run.spec.student, given.student, f"run {name}", "--student")
    find_own([given.student or "", given.dataset or ""])
    to, folder = (Storage(given.out), "") if given.out else (where, f"exports/{sweep or 'run'}-{name[:8]}")
    earlier = store.before(to, folder, name)
    files = export(run, given.format, at_hand(run.spec.dataset, given.data_dir, given.dataset), chosen, earlier)
    store.put(to, folder, files)
    return to, folder, json.loads(files[CARD])


def folders_of(results: str, sweep: str | None) -> list[str]:
    """The folders of the sweeps that are meant. Raises InputError for a sweep that is not there."""
    by_name = {name_of(folder): folder for folder in frames.sweeps(results)}
    if sweep is None:
        return list(by_name.values())
    require_known("sweep", sweep, by_name)
    return [by_name[sweep]]


def at_hand(dataset: str, data_dir: str | None, said: str | None = None) -> ImageData | None:
    """The run's data set where it need not be downloaded; own code only where it was ``said``.

    Raises InputError where ``data_dir`` does not hold it.
    """
    if data_dir is not None and not Path(data_dir).expanduser().is_dir():
        raise InputError(f"data_dir: no such folder: {data_dir}")
    if data_dir is not None:
        require_said("dataset", dataset, said, "the run", "--dataset")
    elif is_own(dataset) and dataset != said:
        return None
    try:
        return load(dataset, data_dir, download=False)
    except Exception as error:  # a person's own loader raises what it likes
        if data_dir is not None:
            raise InputError(str(error)) from None
        return None


def report(to: Storage, folder: str, card: dict[str, Any], name: str) -> str:
    """What was exported, how it was checked and where it lies, for people."""
    spec, file = card["spec"], FORMATS[name].file
    checked = card["files"][file]["checked"]
    again, kd = checked["test_accuracy"], "kd" in spec["method"].split("+")
    cell = f"T={spec['temperature']} alpha={spec['alpha']} {spec['mode']}, " if kd else ""
    data = card["dataset"]
    own = f" (own code, which runs where you say --dataset {shlex.quote(data)})" if is_own(data) else ""
    random = "" if again is not None else f"; {data} is not at hand{own}, so its accuracy was not computed anew"
    lines = [
        f"{card['student']} on {card['dataset']}, {spec['method']}, {cell}seed {spec['seed']}, run {card['spec_id']}",
        f"chosen: {card['chosen']['how']}",
        f"test accuracy {100 * card['test_accuracy']:.2f} %"
        + ("" if again is None else f", computed anew {100 * again:.2f} %"),
        f"checked: loaded back, the student's logits on {checked['images']} within {checked['difference']:.1g} of the "
        f"largest{random}",
        "written:",
        *(f"  {to.shown(*filter(None, (folder, made)))}" for made in (file, f"load_{name}.py", "README.md", CARD)),
        "to load it, in Python in that folder:",
        f"  from load_{name} import logits",
        f"  logits(pixels)  # {card['input']} -> {card['output']}",
    ]
    return "\n".join(lines)


def main() -> None:
    """Exports what the command line asks for, and prints where it lies."""
    given = parser().parse_args()
    to, folder, card = exported(given)
    print(printable(report(to, folder, card, given.format)))


if __name__ == "__main__":
    run_script("export_best.py", main)
