"""MiniRocket of the package aeon, in a separate environment: `python minirocket.py PARTS.npz SEED`.

aeon installs the compiler numba, which kerasseq does not need: it is no dependency. The
file has `train` and `test`, (sequences, channels, timesteps), and their labels.
"""

from __future__ import annotations

import json
import sys
import time
from importlib import metadata


def main(path: str, seed: int) -> None:
    import numpy as np
    from aeon.classification.convolution_based import MiniRocketClassifier
    from sklearn.metrics import accuracy_score, f1_score

    with np.load(path, allow_pickle=False) as file:
        train, truth = file["train"], file["train_labels"]
        test, expected = file["test"], file["test_labels"]
    began = time.perf_counter()
    classifier = MiniRocketClassifier(random_state=seed, n_jobs=1)
    predicted = classifier.fit(train, truth).predict(test)
    scores = {
        "accuracy": float(accuracy_score(expected, predicted)),
        "macro_f1": float(f1_score(expected, predicted, average="macro")),
    }
    spent = round(time.perf_counter() - began, 1)
    print(json.dumps({"test": scores, "seconds": spent, "aeon": metadata.version("aeon")}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
