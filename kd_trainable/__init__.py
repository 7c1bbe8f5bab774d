"""Knowledge distillation runs: what one is, and how many of them run together."""
