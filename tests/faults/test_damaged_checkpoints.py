"""Files of a sweep that is half done are damaged: what was whole before them is used, and said; the rest made anew."""

from __future__ import annotations

import random
import shutil
import time
from pathlib import Path

import psutil
import pytest
import sweeping
from ledger import Outcome, Snapshot, record
from short_runs import result

from kd_trainable.engine import checkpoint

CUT, NOISE, EMPTY = "cut short", "noise", "emptied"


@pytest.fixture(scope="module")
def halfway(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of a sweep that was killed when some runs had finished and two others had two checkpoints each."""
    results = tmp_path_factory.mktemp("halfway") / "results"
    process = sweeping.start(results, sleep=0.03)
    sweeping.wait_for(lambda: len(sweeping.ended(results)) >= 2 and len(twice_saved(results)) >= 2, process)
    all_of_it = sweeping.processes()
    for one in all_of_it:
        one.kill()
    psutil.wait_procs(all_of_it, timeout=30)
    process.communicate()
    return results


@pytest.fixture
def results(halfway: Path, tmp_path: Path) -> Path:
    """A copy of it, to be damaged."""
    return Path(shutil.copytree(halfway, tmp_path / "results"))


def twice_saved(results: Path) -> list[Path]:
    """Runs that have two checkpoints and no result."""
    folders = sorted(results.glob("runs/*"))
    return [f for f in folders if not (f / "result.json").exists() and len(list(f.glob("checkpoint-*"))) == 2]


def damage(path: Path, how: str) -> None:
    """Overwrites it: what a disk, or a copy that was broken off, may leave."""
    whole = path.read_bytes()
    content = {CUT: whole[: len(whole) // 2], NOISE: random.Random(0).randbytes(len(whole)), EMPTY: b""}[how]
    path.write_bytes(content)


def gone_on(results: Path) -> str:
    """Runs the damaged sweep to its end; what it said."""
    return sweeping.complete(results).stderr


def outcome(fault: str, damaged: int, results: Path, snapshot: Snapshot, undisturbed: Path) -> Outcome:
    later = Snapshot.of(results)
    lost, repeated = len(snapshot.lost(later)), len(snapshot.repeated(later))
    made = Outcome(fault, damaged, lost, repeated, sweeping.same_table(results, undisturbed))
    record(made)
    return made


@pytest.mark.fault
def test_the_newest_checkpoint(undisturbed: Path, results: Path) -> None:
    """One cut short, one overwritten with noise: each run goes on from its checkpoint before that."""
    first, second = twice_saved(results)[:2]
    snapshot, expected, before = Snapshot.of(results), [], {}
    for folder, how in ((first, CUT), (second, NOISE)):
        older, newest = sorted(folder.glob("checkpoint-*"))
        rows = checkpoint.decode(older.read_bytes())[1]
        damage(newest, how)
        before[folder.name] = rows
        expected.append(f"run {folder.name}: {newest.name} is damaged; going on from epoch {len(rows)}")
    said = gone_on(results).splitlines()
    assert set(expected) <= set(said)
    assert sum("is damaged" in line for line in said) == 2
    for run, rows in before.items():  # their first epochs have the very times that they had then
        assert repr(result(results, run)["history"][: len(rows)]) == repr(rows)
    assert outcome("newest checkpoint cut short, or noise", 2, results, snapshot, undisturbed).harmless


@pytest.mark.fault
def test_all_checkpoints_and_leases(undisturbed: Path, results: Path) -> None:
    """A run that has no whole checkpoint begins anew, and says so; one whose lease cannot be read goes on."""
    first, second = twice_saved(results)[:2]
    snapshot = Snapshot.of(results)
    for path, how in zip(sorted(first.glob("checkpoint-*")), (CUT, NOISE), strict=True):
        damage(path, how)
    damage(first / "spec.json", NOISE)
    damage(second / "lease.json", EMPTY)
    damage(second / "spec.json", CUT)
    done = sorted(snapshot.finished)[:2]
    for run in done:
        damage(results / "runs" / run / "lease.json", NOISE)
        damage(results / "runs" / run / "spec.json", EMPTY)
    said = gone_on(results)
    assert f"run {first.name}: " in said
    assert said.count("is damaged; going on from the start") == 2
    made = outcome("both checkpoints; lease.json and spec.json damaged", 8, results, snapshot, undisturbed)
    assert made.harmless


@pytest.mark.fault
@pytest.mark.parametrize("how", [CUT, NOISE])
def test_results_and_kept_logits(how: str, undisturbed: Path, results: Path) -> None:
    """A result that cannot be read is none: that run, and no other, is run again. A shard likewise."""
    gone = sorted(Snapshot.of(results).finished)[0]
    damage(results / "runs" / gone / "result.json", how)
    shards = sorted(results.glob("logits/*/*"))
    assert shards
    for shard in shards:
        damage(shard, how)
    snapshot = Snapshot.of(results)
    assert gone not in snapshot.finished
    assert "teacher passes made and kept: 1" in gone_on(results)
    made = outcome("result.json and kept logits damaged", 1 + len(shards), results, snapshot, undisturbed)
    assert made.harmless


def refused(results: Path) -> str:
    """Runs the sweep, which must end by its last line's error; that line."""
    said = sweeping.finish(sweeping.start(results))
    assert (said.returncode, said.stdout) == (2, ""), said.stderr
    assert "Traceback" not in said.stderr
    return said.stderr.splitlines()[-1]


def all_files(results: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in results.rglob("*") if path.is_file()}


@pytest.mark.fault
def test_the_teacher(undisturbed: Path, results: Path) -> None:
    """Another teacher would make other runs, so a damaged one is refused; without its folder it is made again."""
    (folder,) = results.glob("teachers/*")
    weights, snapshot, damaged = folder / "weights.safetensors", Snapshot.of(results), 0
    whole = weights.read_bytes()
    for how in (CUT, NOISE, EMPTY):
        damage(weights, how)
        files = all_files(results)
        wanted = f"digits_grid.py: error: teacher: {weights} is not the file its card speaks of (sha256 differs)"
        assert refused(results).startswith(wanted)
        assert all_files(results) == files
        weights.write_bytes(whole)
        damaged += 1
    damage(weights, NOISE)
    shutil.rmtree(folder)
    began = time.time()
    gone_on(results)
    assert weights.read_bytes() == whole
    assert weights.stat().st_mtime >= began - 1
    assert outcome("the teacher's weights damaged: refused", damaged, results, snapshot, undisturbed).harmless
