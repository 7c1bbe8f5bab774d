"""From a command line to what is asked: flags over a preset's values."""

from __future__ import annotations

import os
import shutil
import sys
from typing import Any

import pytest

from kd_trainable.tuning.command import Asked, Preset, parse
from kd_trainable.tuning.flags import parser_of, value_of
from kd_trainable.tuning.space import Between
from kd_trainable.vocabulary import InputError

PRESETS = {
    "small": Preset(
        "two blocks",
        {"dataset": "digits", "student": "digits_mlp", "epochs": 5},
        [{"mode": ["cse", "mse"], "temperature": [1, 4]}, {"mode": ["kl"], "temperature": [8]}],
        seeds=[0, 1],
        teacher_recipe={"student": "digits_cnn", "epochs": 20},
    ),
    "other": Preset("nothing swept", {"dataset": "digits", "student": "digits_mlp"}),
}


def asked(*argv: str) -> Asked:
    return parse("some_sweep", "A doc.", PRESETS, argv)


class TestPreset:
    def test_the_first_one_is_the_default(self) -> None:
        space = asked().space
        assert (len(space.cells()), list(space.seeds), space.fixed["epochs"]) == (5, [0, 1], 5)

    def test_several_values_replace_the_swept_ones_in_every_block(self) -> None:
        assert {c["temperature"] for c in asked("--temperature", "2", "3").space.cells()} == {2, 3}
        assert len(asked("--temperature", "2", "3").space.cells()) == 6

    def test_one_value_fixes_the_field(self) -> None:
        space = asked("--temperature", "2").space
        assert [space.spec(c, 0).temperature for c in space.cells()] == [2, 2, 2]

    def test_a_fixed_field_can_be_swept(self) -> None:
        cells = asked("--preset", "other", "--student", "digits_mlp", "digits_cnn").space.cells()
        assert [c["student"] for c in cells] == ["digits_mlp", "digits_cnn"]

    def test_flags_of_every_kind(self) -> None:
        space = asked(
            "--nesterov", "--schedule", "multistep", "--milestones", "2", "4", "--epochs", "9", "--protocol",
            "published", "--seeds", "7", "--no-baselines", "--batch-size", "32",
        ).space  # fmt: skip
        spec = space.spec({}, space.seeds[0])
        found = (spec.nesterov, spec.milestones, spec.epochs, spec.protocol, spec.seed, spec.batch_size)
        assert found == (True, (2, 4), 9, "published", 7, 32)
        assert not space.baselines

    def test_settings(self) -> None:
        given = asked(
            "--searcher", "optuna", "--num-samples", "4", "--scheduler", "asha", "--cpus-per-trial", "2",
            "--gpus-per-trial", "0.25", "--max-concurrent", "8", "--retries", "0", "--storage", "out", "--address",
            "auto", "--rerun", "--select-on-test", "--teacher-epochs", "3",
        ).settings  # fmt: skip
        assert (given.searcher, given.num_samples, given.scheduler, given.cpus_per_trial) == ("optuna", 4, "asha", 2)
        assert (given.gpus_per_trial, given.max_concurrent, given.retries, given.storage) == (0.25, 8, 0, "out")
        assert (given.address, given.rerun, given.select_on_test) == ("auto", True, True)
        assert given.teacher_recipe == {"student": "digits_cnn", "epochs": 3}

    def test_a_sweep_is_named_after_its_script(self) -> None:
        assert (asked().name, asked("--name", "mine").name) == ("some_sweep", "mine")


class TestHowToGoOn:
    def test_the_same_command(self) -> None:
        argv = ("--temperature", "[[0,1],[2,4]]", "--storage", "my results")
        python, _, rest = asked(*argv).command.partition(" ")
        assert os.path.samefile(shutil.which(python) or python, sys.executable)  # the one that has the packages
        assert rest == "sweeps/some_sweep.py --temperature '[[0,1],[2,4]]' --storage 'my results'"

    def test_but_not_forgetting_what_is_done(self) -> None:
        assert asked("--rerun", "--epochs", "3").command.endswith(" sweeps/some_sweep.py --epochs 3")


class TestValues:
    @pytest.mark.parametrize(
        ("name", "text", "value"),
        [
            ("temperature", "4", 4.0),
            ("temperature", "[[0,1],[2,4]]", [[0, 1], [2, 4]]),
            ("temperature", "1:8", Between(1.0, 8.0)),
            ("lr", "1e-3:1e-1:log", Between(1e-3, 1e-1, True)),
            ("batch_size", "64", 64),
            ("mode", "kl", "kl"),
            ("student", "my.networks:small", "my.networks:small"),
        ],
    )
    def test_a_text_is_read_as_its_field_is_typed(self, name: str, text: str, value: Any) -> None:
        assert value_of(name, text) == value

    @pytest.mark.parametrize(
        ("name", "text", "said"),
        [
            ("temperature", "warm", "temperature: 'warm' is not allowed; must be a number"),
            ("batch_size", "6.4", "batch_size: '6.4' is not allowed; must be a whole number"),
            ("temperature", "1:8:exp", "temperature: '1:8:exp' is not allowed; a range is LOW:HIGH or LOW:HIGH:log"),
            ("temperature", "1:", "temperature: '' is not allowed; must be a number"),
            ("alpha", "[[0,1],", "alpha: '[[0,1],' is not allowed; a schedule is [[0, value], [epoch, value]]"),
        ],
    )
    def test_or_refused(self, name: str, text: str, said: str) -> None:
        with pytest.raises(InputError) as refusal:
            value_of(name, text)
        assert str(refusal.value) == said

    def test_a_range_stands_alone(self) -> None:
        with pytest.raises(InputError, match="temperature: a range stands alone"):
            asked("--temperature", "1:4", "8")


def test_help_names_presets_and_every_field_that_can_be_swept(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        asked("--help")
    text = capsys.readouterr().out
    assert end.value.code == 0
    assert "two blocks" in text
    assert "(default: None)" not in text
    for flag in ("--temperature T ...", "--label-smoothing S ...", "--seeds S ...", "--dry-run", "--teacher FILE"):
        assert flag in text
    assert max(map(len, text.splitlines())) <= 120


def test_a_script_about_one_run_takes_the_recipe_and_nothing_of_students() -> None:
    parser = parser_of("train_it", "A doc.")
    assert parser.parse_args(["--lr", "0.2"]).lr == "0.2"
    with pytest.raises(InputError, match=r"unrecognized arguments: --temperature"):
        parser.parse_args(["--temperature", "4"])
