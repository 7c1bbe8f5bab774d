"""A trained student as files that load anywhere. No Ray."""
