"""The table of distillation methods: name -> entry. Strings only, so that a plan can check a name without torch.

The source of every default weight stands in the method's own file.
"""

from kd_trainable.vocabulary import MethodEntry

_AT = {"weight": 1000.0, "p": 2.0}

METHODS = {
    "kd": MethodEntry("kd_trainable.methods.kd:loss", numerics=1),
    "l2": MethodEntry("kd_trainable.methods.l2:loss", 1, {"weight": 0.1}),
    "l2_root": MethodEntry("kd_trainable.methods.l2_root:loss", 1, {"weight": 1.0}),
    "fitnets": MethodEntry(
        "kd_trainable.methods.fitnets:loss", 1, {"weight": 100.0}, "middle", "kd_trainable.methods.fitnets:adapter"
    ),
    "at": MethodEntry("kd_trainable.methods.at:loss", 1, _AT, "stages"),
    "at_paper": MethodEntry("kd_trainable.methods.at_paper:loss", 1, _AT, "stages"),
    "pkt": MethodEntry("kd_trainable.methods.pkt:loss", 1, {"weight": 30_000.0}, "embedding"),
    "rkd": MethodEntry(
        "kd_trainable.methods.rkd:loss", 1, {"weight": 1.0, "distance": 25.0, "angle": 50.0}, "embedding"
    ),
    "sp": MethodEntry("kd_trainable.methods.sp:loss", 1, {"weight": 3000.0}, "last"),
    "ofd": MethodEntry(
        "kd_trainable.methods.ofd:loss",
        1,
        {"weight": 1e-3, "teacher_train": 0.0},
        "before_relu",
        "kd_trainable.methods.ofd:adapter",
        train_mode="teacher_train",
    ),
    "dml": MethodEntry(
        "kd_trainable.methods.dml:loss", 1, {"weight": 1.0, "temperature": 1.0}, peer=True, packable=False
    ),
}
