"""Every bad input gets one clear line, of field, value, what is allowed and the nearest name, and leaves nothing."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

Refused = Callable[..., str]

UNKNOWN_NAMES = [
    ("--temprature 4", "unrecognized arguments: --temprature", "(did you mean '--temperature'?)"),
    ("--preset dmo", "preset: unknown name 'dmo' (did you mean 'demo'?); allowed: demo"),
    ("--searcher optunna", "searcher: unknown name 'optunna' (did you mean 'optuna'?); allowed: grid, random, optuna"),
    ("--scheduler asa", "scheduler: unknown name 'asa' (did you mean 'asha'?); allowed: none, asha"),
    ("--dataset digit", "dataset: unknown name 'digit' (did you mean 'digits'?); allowed: ", "or your own as package"),
    ("--student digit_mlp", "student: unknown name 'digit_mlp' (did you mean 'digits_mlp'?); allowed: ", "resnet18"),
    ("--method kdd", "method: unknown name 'kdd' (did you mean 'kd'?); allowed: none, kd"),
    ("--mode k1", "mode: unknown name 'k1' (did you mean 'kl'?); allowed: cse, kl, mse, logit_mse"),
    ("--mode kl mze", "mode: unknown name 'mze' (did you mean 'mse'?)"),
    ("--convention hintn", "convention: unknown name 'hintn' (did you mean 'hinton'?); allowed: hinton, unscaled"),
    ("--control shuffled", "control: unknown name 'shuffled' (did you mean 'shuffled-teacher'?); allowed: none, shuf"),
    ("--optimizer adan", "optimizer: unknown name 'adan' (did you mean 'adam'?); allowed: sgd, adam, adamw"),
    ("--schedule cosin", "schedule: unknown name 'cosin' (did you mean 'cosine'?); allowed: constant, multistep"),
    ("--augment crop", "augment: unknown name 'crop' (did you mean 'crop4'?); allowed: none, flip, crop4, crop4+flip"),
    ("--normalization datset", "normalization: unknown name 'datset' (did you mean 'dataset'?); allowed: dataset"),
    ("--protocol publish", "protocol: unknown name 'publish' (did you mean 'published'?); allowed: holdout, published"),
    ("--precision bf-16", "precision: unknown name 'bf-16' (did you mean 'bf16'?); allowed: float32, bf16"),
    ("--student nosuch_package:net", "student: 'nosuch_package:net': cannot import 'nosuch_package'", "allowed: "),
    ("--student own_parts:nothing", "student: 'own_parts:nothing': module 'own_parts' has no 'nothing'", "allowed: a"),
    ("--student own_parts:few_digits", "student: 'own_parts:few_digits' returned ImageData", "allowed: a callable"),
    ("--student own_parts:wrong_shape", "student: own_parts:wrong_shape gives 2 x 11 for 2 images of 1 x 8 x 8; must"),
    ("--student conv5x5", "student: conv5x5 does not take images of 1 x 8 x 8"),
    ("--method own_parts:nothing", "method: 'own_parts:nothing': module 'own_parts' has no 'nothing'", "allowed: a"),
    ("--dataset own_parts:nothing", "dataset: 'own_parts:nothing': module 'own_parts' has no 'nothing'", "allowed: a"),
    ("--dataset nosuch_package:data", "dataset: 'nosuch_package:data': cannot import 'nosuch_package'", "allowed: a"),
]

VALUES = [
    ("--temperature 0", "temperature: 0 is not allowed; must be > 0"),
    ("--temperature 1 -4", "temperature: -4 is not allowed; must be > 0"),
    ("--temperature nan", "temperature: nan is not allowed; must be > 0"),
    ("--temperature inf", "temperature: inf is not allowed; must be > 0"),
    ("--temperature warm", "temperature: 'warm' is not allowed; must be a number"),
    (
        "--temperature [[1,4]]",
        "temperature: [[1, 4.0]] is not allowed; a schedule is [[0, value], [epoch, value], ...]",
    ),
    ("--temperature [[0,1],[3,0]]", "temperature: 0 is not allowed; must be > 0"),
    ("--alpha 1.5", "alpha: 1.5 is not allowed; must be in [0, 1] for convention hinton"),
    ("--alpha 2 --convention unscaled", "alpha: 2 is not allowed; must be in [0, 1] for convention unscaled"),
    ("--alpha -0.5 --convention additive", "alpha: -0.5 is not allowed; must be >= 0"),
    ("--alpha nan --convention hard_lambda", "alpha: nan is not allowed; must be >= 0"),
    ("--lr nan", "lr: nan is not allowed; must be > 0"),
    ("--lr 0", "lr: 0 is not allowed; must be > 0"),
    ("--momentum 1", "momentum: 1 is not allowed; must be in [0, 1)"),
    ("--weight-decay -1", "weight_decay: -1 is not allowed; must be >= 0"),
    ("--label-smoothing 1", "label_smoothing: 1 is not allowed; must be in [0, 1)"),
    ("--epochs 0", "epochs: 0 is not allowed; must be a whole number >= 1"),
    ("--epochs 2.5", "epochs: '2.5' is not allowed; must be a whole number"),
    ("--epochs 2 3", "unrecognized arguments: 3"),
    ("--epochs", "argument --epochs: expected one argument"),
    ("--seeds -1", "seed: -1 is not allowed; must be a whole number >= 0"),
    ("--seeds one", "seed: 'one' is not allowed; must be a whole number"),
    ("--seeds 0 0", "seeds: 0 is given more than once; give each value once"),
    ("--seeds", "argument --seeds: expected at least one argument"),
    ("--batch-size 0", "batch_size: 0 is not allowed; must be a whole number >= 1"),
    ("--batch-size 1295", "batch_size: 1295 is not allowed; digits has 1294 training images"),
    ("--batch-size 1438 --protocol published", "batch_size: 1438 is not allowed; digits has 1437 training images"),
    ("--batch-size 300 --dataset own_parts:few_digits", "batch_size: 300 is not allowed; own_parts:few_digits has 270"),
    ("--warmup-epochs 20", "warmup_epochs: 20 is not allowed; must be less than epochs (20)"),
    ("--schedule multistep", "milestones: none given is not allowed; schedule multistep needs at least one"),
    ("--milestones 5", "milestones: [5] is not allowed; schedule cosine has none; use multistep"),
    ("--cutout 8", "cutout: 8 is not allowed; must be less than the images' side; digits's are 8 x 8"),
    ("--mixup -1", "mixup: -1 is not allowed; must be >= 0"),
    ("--random-erasing 2", "random_erasing: 2 is not allowed; must be in [0, 1], the share of images"),
    ("--pretrained yes", "pretrained: 'yes' is not allowed; must be true or false"),
    ("--pretrained true", "pretrained: ", "digits_mlp"),
    ("--zero-gamma true", "zero_gamma: ", "digits_mlp"),
    ("--method kd+kd", "method: kd+kd is not allowed; it names kd more than once"),
    ("--method at", "method: at compares every stage that both networks have", "digits_mlp has none (its taps: embedd"),
    (
        "--method pkt --taps embeding",
        "taps: 'embeding' is no module of the student digits_mlp (did you",
    ),
    ("--method pkt --taps at=embedding", "taps: 'at=embedding' is not allowed; at is no method of this sweep"),
    ("--method pkt --taps a:b:c:d", "taps: 'a:b:c:d' is not allowed; must be [METHOD=]STUDENT[:TEACHER[:NORM]], mod"),
    (
        "--method fitnets --taps embedding:stage2",
        "taps: fitnets cannot match embedding, the student's [16] and the teac",
    ),
    ("--method pkt --taps embedding:embeding", "taps: 'embeding' is no module of the teacher digits_cnn (did you mea"),
    ("--method own_parts:needs_power", "method: own_parts:needs_power fails on random images: KeyError: 'power'"),
    ("--method own_parts:logit_distance --hyperparameters power=1 power=2", "hyperparameters: power is given more tha"),
    ("--method rkd --rkd.weight 2 --hyperparameters rkd.weight=3", "hyperparameters: rkd.weight is given more than"),
    ("--method rkd --at.weight 3", "hyperparameters: 'at.weight' is not allowed; at is no method of this sweep"),
    ("--method rkd --rkd.weight -3", "hyperparameters: rkd.weight=-3 is not allowed; must be >= 0"),
    ("--method rkd --rkd.angel 3", "unrecognized arguments: --rkd.angel", "(did you mean '--rkd.angle'?)"),
    ("--method dml --peer digits_mpl", "peer: unknown name 'digits_mpl' (did you mean 'digits_mlp'?)"),
    ("--method dml --peer conv5x5", "peer: conv5x5 does not take images of 1 x 8 x 8"),
    (
        "--schedule one_cycle --warmup-epochs 2",
        "warmup_epochs: 2 is not allowed; schedule one_cycle warms up",
    ),
    ("--temperature", "argument --temperature: expected at least one argument"),
    ("--temperature 4 4.0", "temperature: 4 is given more than once; give each value once"),
    ("--mode kl kl", "mode: kl is given more than once; give each value once"),
    ("--temperature 1:8", "searcher: grid cannot walk a range LOW:HIGH; list the values, or use random or optuna"),
    ("--temperature 8:1 --searcher random --num-samples 2", "temperature: 8:1 is not allowed; a range is LOW:HIGH"),
    ("--num-samples 0 --searcher random", "num_samples: 0 is not allowed; must be a whole number >= 1"),
    ("--num-samples 0 --searcher optuna", "num_samples: 0 is not allowed; must be a whole number >= 1"),
    ("--num-samples 3", "num_samples: 3 is not allowed; searcher grid runs every cell; use random or optuna"),
    ("--searcher optuna", "num_samples: missing; searcher optuna needs the number of cells to try"),
    ("--searcher random", "num_samples: missing; searcher random needs the number of cells to try"),
    ("--scheduler asha --epochs 1", "scheduler: asha needs epochs >= 2 to stop anything; epochs is 1"),
    ("--scheduler asha --protocol published", "protocol: published holds no validation images out", "--select-on-test"),
    ("--searcher optuna --num-samples 2 --protocol published", "would select on the test set; say --select-on-test"),
    ("--cpus-per-trial 0", "cpus_per_trial: 0 is not allowed; must be a whole number >= 1"),
    ("--cpus-per-trial 4096", "cpus_per_trial: 4096 is not allowed; ", " CPUs are there"),
    ("--gpus-per-trial -1", "gpus_per_trial: -1 is not allowed; must be 0, a part of 1, or a whole number"),
    ("--gpus-per-trial 1.5", "gpus_per_trial: 1.5 is not allowed; must be 0, a part of 1, or a whole number"),
    ("--gpus-per-trial nan", "gpus_per_trial: nan is not allowed; must be 0, a part of 1, or a whole number"),
    ("--gpus-per-trial 64", "gpus_per_trial: 64 is not allowed; ", " GPUs are there"),
    ("--max-concurrent 0", "max_concurrent: 0 is not allowed; must be a whole number >= 1"),
    ("--retries -1", "retries: -1 is not allowed; must be a whole number >= 0"),
    ("--teacher-epochs 0", "teacher_epochs: 0 is not allowed; must be a whole number >= 1"),
    ("--name a/b", "name: 'a/b' is not allowed; a folder's name"),
    ("--name ..", "name: '..' is not allowed; a folder's name"),
    ("--storage ''", "storage: '' is not allowed; must be a folder or a URI"),
    ("--storage nosuch://bucket/x", "storage: 'nosuch://bucket/x': no such scheme, nosuch"),
    ("--storage /proc/nosuch", "storage: /proc/nosuch cannot be written to"),
    ("--data-dir /nosuch/folder", "data_dir: no such folder: /nosuch/folder"),
    ("--teacher /nosuch/teacher.safetensors", "teacher: no such file: /nosuch/teacher.safetensors"),
    ("--teacher-model digits_cnn", "teacher_model: 'digits_cnn' is given without teacher, the file it belongs to"),
]


@pytest.mark.parametrize(("argv", "said"), [(argv, said) for argv, *said in [*UNKNOWN_NAMES, *VALUES]])
def test_one_line(argv: str, said: list[str], refused: Refused) -> None:
    line = refused(*shlex.split(argv))
    assert [part for part in said if part not in line] == [], line


@pytest.mark.parametrize("argv", ["--temperature 0", "--student digit_mlp", "--num-samples 0", "--name a/b"])
def test_a_dry_run_too(argv: str, refused: Refused) -> None:
    assert "not allowed" in (line := refused("--dry-run", *shlex.split(argv))) or "unknown name" in line


def test_storage_under_a_file(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("here")
    assert f"storage: {tmp_path}/file/results cannot be " in refused("--storage", str(tmp_path / "file" / "results"))


def test_a_full_storage(refused: Refused, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=2**20))
    assert "/results has 1 MiB free; at least 64 MiB needed" in refused()


def test_a_storage_in_use(refused: Refused, tmp_path: Path, teacher: str) -> None:
    from kd_trainable.tuning.ground import sole_driver
    from kd_trainable.tuning.store import Storage

    with sole_driver(Storage(str(tmp_path / "results"))):
        line = refused("--storage", str(tmp_path / "results"), "--teacher", teacher)
    assert f"storage: {tmp_path}/results is in use by another sweep; wait for it, or stop it" in line


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("127.0.0.1:1", "address: '127.0.0.1:1' cannot be reached: ConnectionRefusedError"),
        ("127.0.0.1:99999", "address: '127.0.0.1:99999' cannot be reached: "),
        ("somewhere", "address: 'somewhere' is not allowed; must be auto, on the cluster's head, or host:port"),
    ],
)
def test_a_cluster_that_is_not_there(
    address: str, said: str, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ray

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    assert said in refused("--address", address)
