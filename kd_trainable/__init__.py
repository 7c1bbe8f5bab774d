"""Knowledge distillation runs: what one is, and how many of them run together."""

from kd_trainable.interrupts import say_stopped

say_stopped()  # first of all: what follows is seconds of loading
