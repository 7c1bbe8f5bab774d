"""The table of distillation methods: name -> entry. Strings only, so that a plan can check a name without torch."""

from kd_trainable.vocabulary import MethodEntry

METHODS = {
    "kd": MethodEntry("kd_trainable.methods.kd:loss", numerics=1),
}
