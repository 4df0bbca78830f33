"""Skeletons: positions of the joints of a body in each frame of a video."""

from __future__ import annotations

import numpy as np

__all__ = ["KINECT_JOINTS", "body_coordinates", "skeleton"]

#: Joints of a frame of the first Kinect, as in MSR-Action3D.
KINECT_JOINTS = 20
_KINECT_HIP = 6  # the joint between the hips


def skeleton(rows: np.ndarray, joints: int) -> np.ndarray:
    """Read skeletons from rows `x y z` or `x y z confidence`, one for each joint of each frame.

    Args:
        rows: float (frames * joints, 3 or 4). A joint at the origin was not seen.
        joints: joints of a frame.

    Returns:
        float32 (frames, 3 * joints), see `body_coordinates`.

    Raises:
        ValueError: if the rows do not fit.
    """
    if rows.size and rows.shape[1] not in (3, 4):
        raise ValueError(
            f"a joint must have x, y, z and perhaps a confidence, and has {rows.shape[1]:,} numbers"
        )
    if len(rows) % joints:
        raise ValueError(f"{len(rows):,} rows are not a multiple of {joints:,} joints")
    positions = rows[:, :3].astype(np.float64).reshape(-1, joints, 3)
    positions[(positions == 0).all(axis=2)] = np.nan
    return body_coordinates(positions)


def body_coordinates(positions: np.ndarray, root: int | None = None) -> np.ndarray:
    """Positions relative to the body, so that place and size of the body do not matter.

    Joints are relative to the root joint of their frame, the root joint to its place in the first
    frame, and all are divided by the size of the body: the mean distance of the joints to the root.

    Args:
        positions: (frames, joints, 3), NaN where a joint was not seen.
        root: number of the root joint; default: the one between the hips for 20 joints, else the
            joint that is nearest to the middle of the body in the mean of all frames.

    Returns:
        float32 (frames, 3 * joints); the channels of the root joint hold its path.

    Example:

    >>> frames = np.array([[[0, 0, 0], [0, 2, 0]], [[1, 0, 0], [1, 2, 0]]], dtype=float)
    >>> body_coordinates(frames, root=0)[1].tolist()
    [0.5, 0.0, 0.0, 0.0, 1.0, 0.0]
    """
    frames, joints = positions.shape[:2]
    observed = np.isfinite(positions)
    counts = observed.sum(axis=0)
    mean = np.where(observed, positions, 0).sum(axis=0) / np.maximum(counts, 1)
    if root is None:
        nearest = int(np.linalg.norm(mean - mean.mean(axis=0), axis=1).argmin())
        root = _KINECT_HIP if joints == KINECT_JOINTS else nearest
    rooted = np.flatnonzero(observed[:, root].all(axis=1))
    if not len(rooted):
        return np.full((frames, 3 * joints), np.nan, dtype=np.float32)
    relative = positions - positions[:, [root]]
    distances = np.linalg.norm(np.delete(relative, root, axis=1), axis=2)
    known = distances[np.isfinite(distances)]
    size = float(known.mean()) if len(known) else 1.0
    relative[:, root] = positions[:, root] - positions[rooted[0], root]
    return (relative / (size or 1.0)).astype(np.float32).reshape(frames, 3 * joints)
