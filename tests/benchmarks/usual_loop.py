"""The loop that most distillation repositories use, written plainly: what this library is compared with.

A data set of PIL images behind a DataLoader with worker processes, torchvision's transforms, the teacher's forward
under no_grad at every step, float32 in PyTorch's default layout. It uses nothing of this library but the networks
and the random pixels.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import torch
import torch.nn.functional as F
from pixels import MEAN, STD, cifar_sized
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from kd_trainable.models.build import build

BATCH, WORKERS = 128, 2
MakeOptimizer = Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]


class PilImages(Dataset):
    """As torchvision.datasets.CIFAR10: uint8 arrays, a PIL image and its transform at every access."""

    def __init__(self) -> None:
        data = cifar_sized()
        self.images = np.ascontiguousarray(data.train_images.transpose(0, 2, 3, 1))
        self.labels = data.train_labels.tolist()
        self.transform = transforms.Compose(
            [
                transforms.RandomCrop(32, padding=4),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize(MEAN, STD),
            ]
        )

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image = transforms.functional.to_pil_image(self.images[index])
        return self.transform(image), self.labels[index]


class UsualLoop:
    """``steps(n)`` trains on and gives the seconds of a step; the DataLoader goes round for ever."""

    def __init__(self, student: str, teacher: str, make_optimizer: MakeOptimizer, t: float, weights: tuple) -> None:
        self.student, self.teacher = build(student, 10, 3), build(teacher, 10, 3).eval()
        self.optimizer = make_optimizer(self.student.parameters())
        self.temperature, (self.hard, self.soft) = t, weights
        self.batches = self._for_ever()

    def steps(self, count: int) -> float:
        """Mean seconds of a step, over ``count`` of them."""
        began = time.perf_counter()
        for images, labels in itertools.islice(self.batches, count):
            self._step(images, labels)
        return (time.perf_counter() - began) / count

    def _step(self, images: Tensor, labels: Tensor) -> None:
        self.student.train()
        with torch.no_grad():
            target = self.teacher(images)
        logits = self.student(images)
        t = self.temperature
        soft = F.kl_div(F.log_softmax(logits / t, 1), F.softmax(target / t, 1), reduction="batchmean") * t * t
        loss = self.hard * F.cross_entropy(logits, labels) + self.soft * soft
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()

    def _for_ever(self) -> Iterator[tuple[Tensor, Tensor]]:
        loader = DataLoader(PilImages(), batch_size=BATCH, shuffle=True, num_workers=WORKERS)
        while True:
            yield from loader
