"""Demo motions of a simple body, as a camera would track its joints."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

__all__ = ["CHANNELS", "RATE", "demo_motions"]

JOINTS = ("hip", "head", "left hand", "right hand", "left foot", "right foot")
#: Names of the channels: two coordinates of each joint, in metres.
CHANNELS = tuple(f"{joint} {axis}" for joint in JOINTS for axis in "xy")
#: Timesteps of a second.
RATE = 10
_REST = np.array([[0, 0.9], [0, 1.6], [-0.2, 0.8], [0.2, 0.8], [-0.1, 0], [0.1, 0]])
_HIP, _HEAD, _LEFT_HAND, _RIGHT_HAND, _LEFT_FOOT, _RIGHT_FOOT = range(len(JOINTS))
_SHORTEST, _LONGEST = 16, 30  # timesteps
_SUBJECTS, _TAKES = 10, 3  # takes of each motion by each subject
_SEED = 18


def demo_motions() -> tuple[list[np.ndarray], list[str], list[str]]:
    """Sequences of the joints of a body, with the motion and the subject; always the same.

    Ten subjects, who differ in size, tempo and style, make each of eight motions three times.
    Some motions differ in the order of time alone: to stand up is to sit down backwards. In others
    every channel has the same values in another order: hands that clap are out at the same time,
    arms that swing in turn.

    Returns:
        Sequences, float32 (timesteps, 12), of 1.6 to 3 seconds at `RATE` timesteps a second, with
        the channels `CHANNELS` in metres; the motion of each; and the subject of each.

    Example:

    >>> sequences, motions, subjects = demo_motions()
    >>> len(sequences), sequences[0].shape[1], len({*subjects})
    (240, 12, 10)
    >>> sorted({*motions})
    ['clap', 'pick up', 'run', 'sit down', 'stand up', 'swing', 'walk', 'wave']
    """
    random = np.random.default_rng(_SEED)
    rows: list[tuple[np.ndarray, str, str]] = []
    for number in range(1, _SUBJECTS + 1):
        size, tempo, vigour = random.uniform([0.8, 0.8, 0.75], [1.15, 1.25, 1.25])
        for motion, move in _MOTIONS.items():
            for _ in range(_TAKES):
                joints = _take(move, random, tempo, vigour)
                rows.append((_track(size * joints, random), motion, f"subject {number:02}"))
    order = random.permutation(len(rows))
    sequences, motions, subjects = zip(*(rows[place] for place in order), strict=True)
    return [*sequences], [*motions], [*subjects]


_Move = Callable[[np.ndarray, np.ndarray, np.random.Generator, float], None]


def _take(move: _Move, random: np.random.Generator, tempo: float, vigour: float) -> np.ndarray:
    """The joints in a motion of a body of standard size, (timesteps, joints, 2)."""
    timesteps = random.integers(_SHORTEST, _LONGEST + 1)
    seconds = np.arange(timesteps) / RATE
    joints = np.repeat(_REST[None], timesteps, axis=0)
    move(joints, tempo * random.uniform(0.9, 1.1) * seconds, random, vigour)
    if random.random() < 0.5:  # the camera stands on the other side
        joints[..., 0] *= -1
    return joints


def _track(joints: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """The channels as a camera measures them: from its place, with noise."""
    joints = joints + random.normal(0, [0.5, 0.05], 2)
    joints += random.normal(0, 0.05, joints.shape)
    return joints.reshape(len(joints), -1).astype(np.float32)


def _stride(
    joints: np.ndarray,
    seconds: np.ndarray,
    random: np.random.Generator,
    length: float,
    hertz: float,
) -> None:
    """Move the feet, the hands against them, and the body forward."""
    phase = 2 * np.pi * (hertz * seconds + random.random())
    for foot, hand, side in ((_LEFT_FOOT, _RIGHT_HAND, 1), (_RIGHT_FOOT, _LEFT_HAND, -1)):
        swing = side * length * np.sin(phase)
        joints[:, foot, 0] += swing
        joints[:, hand, 0] += 0.7 * swing
        joints[:, foot, 1] += 0.35 * length * np.maximum(side * np.cos(phase), 0)
    joints[..., 0] += (2 * length * hertz * seconds)[:, None]
    joints[:, :_LEFT_FOOT, 1] += (0.1 * length * np.abs(np.sin(phase)))[:, None]


def _walk(
    joints: np.ndarray, seconds: np.ndarray, random: np.random.Generator, vigour: float
) -> None:
    _stride(joints, seconds, random, 0.28 * vigour, 0.9)


def _run(
    joints: np.ndarray, seconds: np.ndarray, random: np.random.Generator, vigour: float
) -> None:
    _stride(joints, seconds, random, 0.38 * vigour, 1.5)
    joints[:, _LEFT_HAND : _RIGHT_HAND + 1, 1] += 0.25  # bent arms


def _wave(
    joints: np.ndarray, seconds: np.ndarray, random: np.random.Generator, vigour: float
) -> None:
    hand = random.choice([_LEFT_HAND, _RIGHT_HAND])
    raised = _rise(seconds, random.uniform(0, 0.4), 0.4)
    swing = 0.15 * vigour * np.sin(2 * np.pi * (1.4 * seconds + random.random()))
    joints[:, hand, 0] += raised * swing
    joints[:, hand, 1] += 0.95 * raised


def _clap(
    joints: np.ndarray, seconds: np.ndarray, random: np.random.Generator, vigour: float
) -> None:
    _move_hands(joints, seconds, random, vigour, delay=0.0)


def _swing(
    joints: np.ndarray, seconds: np.ndarray, random: np.random.Generator, vigour: float
) -> None:
    _move_hands(joints, seconds, random, vigour, delay=0.5)


def _move_hands(
    joints: np.ndarray,
    seconds: np.ndarray,
    random: np.random.Generator,
    vigour: float,
    delay: float,
) -> None:
    """Move the hands out and in, the right one by `delay` periods later."""
    raised = _rise(seconds, random.uniform(0, 0.4), 0.4)
    begin = random.random()
    for hand, side, later in ((_LEFT_HAND, -1, 0.0), (_RIGHT_HAND, 1, delay)):
        apart = np.abs(np.sin(np.pi * (1.4 * seconds + begin + later)))
        joints[:, hand, 0] += raised * side * (0.3 * vigour * apart - 0.2)
        joints[:, hand, 1] += 0.4 * raised


def _sit_down(
    joints: np.ndarray, seconds: np.ndarray, random: np.random.Generator, vigour: float
) -> None:
    _sit(joints, _turn(seconds, random), vigour)


def _stand_up(
    joints: np.ndarray, seconds: np.ndarray, random: np.random.Generator, vigour: float
) -> None:
    _sit(joints, 1 - _turn(seconds, random), vigour)


def _pick_up(
    joints: np.ndarray, seconds: np.ndarray, random: np.random.Generator, vigour: float
) -> None:
    down = _turn(seconds, random)
    depth = np.sin(np.pi * down)  # down and up again
    hand = random.choice([_LEFT_HAND, _RIGHT_HAND])
    joints[:, _HIP, 1] -= 0.25 * vigour * depth
    joints[:, _HEAD] += np.stack([0.45 * depth, -0.65 * depth], axis=1)
    joints[:, hand] += np.stack([0.35 * depth, -0.7 * depth], axis=1)


def _sit(joints: np.ndarray, seated: np.ndarray, vigour: float) -> None:
    """Lower all joints but the feet, as far as `seated`, which is 0 to 1, says."""
    joints[:, :_LEFT_FOOT, 1] -= (0.42 * seated)[:, None]
    lean = 0.2 * vigour * np.sin(np.pi * seated)  # forward on the way
    joints[:, _HEAD, 0] += lean
    joints[:, _LEFT_HAND : _RIGHT_HAND + 1, 0] += (0.15 * seated + 0.5 * lean)[:, None]


def _turn(seconds: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A smooth rise from 0 to 1 at some moment of the take."""
    duration = random.uniform(0.8, 1.3)
    latest = max(seconds[-1] - duration, 0.1)
    return _rise(seconds, random.uniform(0.05, latest), duration)


def _rise(seconds: np.ndarray, start: float, duration: float) -> np.ndarray:
    """A smooth rise from 0 to 1 that begins at `start`."""
    share = np.clip((seconds - start) / duration, 0, 1)
    return share**2 * (3 - 2 * share)


_MOTIONS: dict[str, _Move] = {
    "walk": _walk,
    "run": _run,
    "wave": _wave,
    "clap": _clap,
    "swing": _swing,
    "sit down": _sit_down,
    "stand up": _stand_up,
    "pick up": _pick_up,
}
