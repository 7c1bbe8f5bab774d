"""Sweeps: the only folder that imports ray. ``from kd_trainable.tuning import sweep``."""

from kd_trainable.tuning.settings import Settings
from kd_trainable.tuning.space import Between
from kd_trainable.tuning.sweep import sweep

__all__ = ["Between", "Settings", "sweep"]
