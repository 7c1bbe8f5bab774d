from collections.abc import Callable

import pandas as pd

from kd_trainable.records import RUN_COLUMNS


def test_one(short_sweep: Callable[..., pd.DataFrame]) -> None:
    runs = short_sweep(temperature=[1, 4], seeds=[0, 1])
    assert list(runs.columns) == [c.name for c in RUN_COLUMNS]
    assert len(runs) == 6
    print(runs.T.to_string())
