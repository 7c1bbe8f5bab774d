"""Every method gives the numbers that public code gives, computed outside this code and never written by a test.

The references ran once, in float64, on the numbers of ``drawn``; each literal names repository, commit and file.
"""

import itertools

import pytest
import torch
from test_method_inputs import BATCH, NO_BATCH, drawn, hyperparameters

from kd_trainable.engine.distances import resolve_method
from kd_trainable.methods import METHODS, fitnets, ofd
from kd_trainable.vocabulary import Fit, Outputs

LOGITS = drawn(1, BATCH, 5, scale=4), drawn(2, BATCH, 5, scale=4)
EMBEDDINGS = drawn(3, BATCH, 7), drawn(4, BATCH, 9)
STUDENT_MAPS = [(4, 4, 4), (6, 2, 2), (3, 8, 8), (6, 2, 2)]  # equal, equal, then the student's larger, the teacher's
TEACHER_MAPS = [(5, 4, 4), (8, 2, 2), (5, 4, 4), (7, 4, 4)]
MAPS = (
    {f"s{i}": drawn(10 + i, BATCH, *shape) for i, shape in enumerate(STUDENT_MAPS)},
    {f"s{i}": drawn(20 + i, BATCH, *shape) for i, shape in enumerate(TEACHER_MAPS)},
)
HINTS = drawn(30, BATCH, 5, 4, 4).clamp(min=0), drawn(31, BATCH, 5, 4, 4).clamp(min=0)

# HobbitLong/RepDistiller 1e2f816, distiller_zoo/: KD.py (before its T^2), FitNet.py, AT.py, PKT.py, RKD.py, SP.py.
#   AT over the first two stages is the same in szagoruyko/attention-transfer 084890a and torchdistill 01038e7 'code'.
# AberHu/Knowledge-Distillation-Zoo e8e298d, kd_losses/logits.py. untitledunmastered1998/DistillationLab cc43011,
#   src/methods/L2.py (which adds 1e-6 to the differences). JDAI-CV/FaceX-Zoo 0fea63c, KDF/loss/dml.py.
# torchdistill 01038e7, losses/mid_level.py ATLoss 'paper', each stage / (2 H W), of maps pooled as RepDistiller's AT.
GOLDEN = {
    "kd": 0.321942429526,
    "l2": 12.2332313328,
    "l2_root": 6.73440390266,
    "fitnets": 0.229346704677,
    "at": 0.14337155756,
    "at_paper": 0.138072319589,
    "pkt": 0.0280666211594,
    "rkd": 3.42991204551,
    "sp": 0.051763103125,
    "ofd": 71.7433157006,  # with its adapter; see OFD below
    "dml": 2.92161537384,
}


def pair(name):
    """Student's and teacher's Outputs of the golden number."""
    ours, theirs = {
        "embedding": ({"e": EMBEDDINGS[0]}, {"e": EMBEDDINGS[1]}),
        "stages": MAPS,
        "last": ({"s1": MAPS[0]["s1"]}, {"s1": MAPS[1]["s1"]}),
        "middle": ({"m": HINTS[0]}, {"m": HINTS[1]}),
        "before_relu": ofd_features() if METHODS[name].taps == "before_relu" else ({}, {}),
    }.get(METHODS[name].taps, ({}, {}))
    return Outputs(LOGITS[0], ours), Outputs(LOGITS[1], theirs)


def value(name, student, teacher, **changed):
    return resolve_method(name)(student, teacher, NO_BATCH, hyperparameters=hyperparameters(name, **changed)).item()


def filled(module, seed):
    """The module with parameter i drawn from seed + i, in their order, as in the references."""
    with torch.no_grad():
        for i, parameter in enumerate(module.parameters()):
            parameter.copy_(drawn(seed + i, *parameter.shape))
    return module


# clovaai/overhaul-distillation 76344a8, CIFAR-100/distiller.py: margins, connectors and loss of three stages, / batch.
#   Its commit 93bbcd2, which writes the loss in another way, gives the same.
OFD = [((3, 4, 4), (5, 4, 4)), ((4, 2, 2), (6, 2, 2)), ((5, 2, 2), (5, 2, 2))]


def ofd_features():
    norms = [torch.nn.BatchNorm2d(theirs[0]) for _, theirs in OFD]
    for i, norm in enumerate(norms):
        norm.load_state_dict(
            {"weight": drawn(60 + i, norm.num_features), "bias": drawn(70 + i, norm.num_features, scale=2)},
            strict=False,
        )
    adapter = ofd.adapter(
        [Fit(f"r{i}", *both, norm) for i, (both, norm) in enumerate(zip(OFD, norms, strict=True))], {}
    )
    for i, stage in enumerate(adapter.stages):
        filled(stage, 80 + 10 * i)
    ours = {f"r{i}": drawn(110 + i, BATCH, *shape) for i, (shape, _) in enumerate(OFD)}
    theirs = {f"r{i}": drawn(120 + i, BATCH, *shape, scale=2) for i, (_, shape) in enumerate(OFD)}
    with torch.no_grad():
        return adapter(ours, theirs)


@pytest.mark.parametrize("name", METHODS)
def test_a_method_equals_its_golden_number(name):
    assert value(name, *pair(name)) == pytest.approx(GOLDEN[name], rel=5e-6)


def test_no_two_methods_share_a_golden_number():
    assert GOLDEN.keys() == METHODS.keys()
    for a, b in itertools.combinations(GOLDEN.values(), 2):
        assert a != pytest.approx(b, rel=1e-2)


# RepDistiller 1e2f816: AT(p=4), RKD's two parts, DistillKL(T=3). lenscloth/RKD 21fae20: RkdDistance + 2 RKdAngle.
OTHERS = [
    ("at", {"p": 4.0}, 0.278154292404),
    ("rkd", {"distance": 1.0, "angle": 0.0}, 0.039632099919),
    ("rkd", {"distance": 0.0, "angle": 1.0}, 0.0487821909507),
    ("rkd", {"distance": 1.0, "angle": 2.0}, 0.13719648182),
    ("dml", {"temperature": 3.0}, 4.93420303156),
]


@pytest.mark.parametrize(("name", "changed", "golden"), OTHERS)
def test_a_hyperparameter_changes_what_public_code_lets_it_change(name, changed, golden):
    assert value(name, *pair(name), **changed) == pytest.approx(golden, rel=5e-6)


# torchdistill 01038e7, ATLoss 'paper', stage by stage as it gives them, not divided.
@pytest.mark.parametrize(
    ("stage", "pixels", "golden"),
    [("s0", 16, 0.512985099086), ("s1", 4, 0.261047884795), ("s2", 16, 0.65758549018), ("s3", 4, 0.550888024596)],
)
def test_at_paper_is_torchdistills_over_twice_the_pixels(stage, pixels, golden):
    student, teacher = (Outputs(LOGITS[0], {stage: maps[stage]}) for maps in MAPS)
    assert 2 * pixels * value("at_paper", student, teacher) == pytest.approx(golden, rel=5e-6)


# HobbitLong/RepDistiller eedab9d, models/util.py: ConvReg and HintLoss; (student, teacher, in training, in evaluation).
REGRESSORS = {
    "equal": ((3, 4, 4), (5, 4, 4), 0.615169016362, 0.662574614668),
    "double": ((3, 8, 8), (5, 4, 4), 0.655222531756, 0.885093841869),
    "half": ((3, 4, 4), (5, 8, 8), 0.622955941639, 0.768689514377),
    "larger": ((3, 7, 7), (5, 4, 4), 0.603028743536, 1.04208365182),
    "oblong": ((3, 6, 5), (5, 4, 4), 0.620073962921, 0.869480022998),
}


@pytest.mark.parametrize("case", REGRESSORS)
def test_a_fitnets_regressor_equals_public_code(case):
    ours, theirs, training, evaluation = REGRESSORS[case]
    adapter = filled(fitnets.adapter([Fit("m", ours, theirs)], {}), 40)
    for mode, golden in ((True, training), (False, evaluation)):  # evaluation after one batch, as there
        student, teacher = adapter.train(mode)({"m": drawn(50, BATCH, *ours)}, {"m": drawn(51, BATCH, *theirs)})
        found = value("fitnets", Outputs(LOGITS[0], student), Outputs(LOGITS[1], teacher))
        assert found == pytest.approx(golden, rel=5e-6)
