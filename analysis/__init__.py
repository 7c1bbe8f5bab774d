"""Tables, figures and statistics of what sweeps wrote."""

from kd_trainable import (
    interrupts as interrupts,
)  # first of all: from here on Ctrl-C is a line, also while pandas loads
