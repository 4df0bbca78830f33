"""Reads .keras, .weights.h5 and .h5 files without a backend and without custom objects.

The HDF5 groups of the weights follow the attributes of the layers: `layers/lstm/cell/vars/0`. A
group in a list is named after the class of its layer, and the attribute `name` of `vars` is the
layer's name. Its class, and whether it is trainable, stand in config.json, which only .keras files
have.
"""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from math import prod
from pathlib import Path
from typing import Any

from kerasseq.io import hdf5
from kerasseq.io.atomic import finish
from kerasseq.io.lfs import check_no_pointer
from kerasseq.io.limits import check_size, read_member
from kerasseq.params import legacy, tensors
from kerasseq.params.contents import Contents, Entry, trained_weights

Node = Mapping[str, Any]  # a layer in config.json: `class_name`, `config` and more

# Attributes with one layer; the config of a Bidirectional calls its forward layer `layer`.
_SINGLE = ("cell", "layer", "forward_layer", "backward_layer")
# Variables that older versions of Keras saved beside the weights, and that are no parameters.
_STATE = re.compile(r"seed_generator|metrics?$|tracker$")
# Classes of layers inside others whose configs do not name them, by class and attribute.
_INSIDE = {
    **{(name, "cell"): f"{name}Cell" for name in ("LSTM", "GRU", "SimpleRNN")},
    ("SequenceConvolution", "convolution"): "Conv1D",
    ("SequenceConvolution", "norm"): "BatchNormalization",
    ("FrameEncoder", "dense"): "Dense",
}
_BLOCK = 2**24  # bytes of a weight that are read at a time
_ACRONYMS = {"lstm": "LSTM", "gru": "GRU", "rnn": "RNN", "lru": "LRU", "mgu": "MGU"}
_BARE = (
    "A .weights.h5 file holds shapes and totals only: which weights are trained, and the order "
    "of the layers, stand in a .keras file."
)


def read(path: Path) -> Contents:
    """Read the layers of a .keras, .h5 or .safetensors file, or of the model.keras in a folder.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is another kind of file, or is damaged.
    """
    if path.is_dir():
        finish(path)
        path = path / "model.keras"
        if not path.is_file():
            raise FileNotFoundError(f"The folder '{path.parent}' holds no model.keras.")
    if not path.is_file():
        raise FileNotFoundError(f"There is no file '{path}'.")
    check_no_pointer(path)
    if path.suffix == ".safetensors":
        return tensors.read(path)
    import h5py

    size = path.stat().st_size
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                config = json.loads(_members(archive, size)[0])
                with archive.open("model.weights.h5") as raw, h5py.File(raw, "r") as file:
                    return _Reader(file, config, size).contents(path.name)
        if h5py.is_hdf5(path):
            with h5py.File(path, "r") as file:
                if legacy.is_legacy(file):
                    return legacy.contents(file, path.name, size)
                return _Reader(file, None, size).contents(path.name)
        raise ValueError("it is neither a .keras archive nor an HDF5 file, or it is damaged")
    # Errors that the readers of zip, JSON and HDF5 raise for a damaged file.
    except (
        *(ValueError, KeyError, OSError, EOFError, RuntimeError),
        *(zipfile.BadZipFile, zlib.error),
    ) as error:
        raise ValueError(
            f"'{path}' cannot be read as a Keras file: {hdf5.reason(error)}."
        ) from error


def _members(archive: zipfile.ZipFile, stored: int) -> list[bytes]:
    """Read the JSON files of a .keras archive, after checking the sizes of all its members."""
    texts, weights = ("config.json", "metadata.json"), "model.weights.h5"
    if not {*texts, weights} <= {*archive.namelist()}:
        raise ValueError("it is a zip archive, but not one that Keras 3 wrote")
    for name in (*texts, weights):
        _check_more(archive.getinfo(name).file_size, f"its {name}", stored)
    return [read_member(archive, archive.getinfo(name)) for name in texts]


def _check_more(size: int, what: str, stored: int) -> None:
    """Raise a ValueError if a part is far larger than the `stored` bytes of the file."""
    if size > stored:
        check_size(size, what, stored)


class _Reader:
    """Walks the groups of a file once, in the order of its config if it has one."""

    def __init__(self, file: Any, config: Any, stored: int) -> None:
        self.file = file
        self.bare = config is None
        self.node = _node(config)
        if not self.bare and self.node is None:
            raise ValueError("its config.json describes no model")
        self.stored = stored
        self.places: set[Any] = set()
        self.paths: dict[tuple[str, str], str] = {}
        self.arrays: list[tuple[str, Any]] = []

    def contents(self, name: str) -> Contents:
        """The layers, the optimizer variables and the notes of the file."""
        groups = self.groups(self.file)
        optimizer = groups.pop("optimizer", None)
        trained = bool(_config(self.node).get("trainable", True))
        root = str(self.node["class_name"]) if self.node else ""
        root_entry = self.entry(
            self.file, root, self.node, _name(self.file, self.node, "model"), trained
        )
        entries = list(self.inner_entries(groups, root, self.node, "", trained))
        if root_entry.params:
            entries.insert(0, root_entry)
        if not entries and _vars(self.file) is None:
            raise ValueError("it is an HDF5 file, but has no weights of a Keras model")
        return Contents(
            name=f"{name} ({root})" if root else name,
            entries=tuple(entries),
            optimizer=0 if optimizer is None else sum(self.sizes(optimizer)),
            notes=(*([_BARE] if self.bare else []), *self.equal_weights()),
        )

    def visit(
        self, group: Any, name: str, class_name: str, node: Node | None, trained: bool
    ) -> Iterator[Entry]:
        """Yield the entry of a layer, then the entries of the layers inside it."""
        if node is not None:
            class_name = str(node["class_name"])
        trained = trained and bool(_config(node).get("trainable", True))
        yield self.entry(group, class_name, node, name, trained)
        yield from self.inner_entries(self.groups(group), class_name, node, f"{name}/", trained)

    def entry(
        self, group: Any, class_name: str, node: Node | None, path: str, trained: bool
    ) -> Entry:
        """The entry of one layer, with its weights but not those of layers inside it."""
        arrays = _datasets(group)
        if class_name == "SpectralNormalization" and len(arrays) == 2:
            arrays = arrays[1:]  # the first is the kernel of the layer inside, counted there
        if node is not None:
            self.paths.setdefault((class_name, str(node["config"].get("name"))), path)
        self.arrays += [(path, array) for array in arrays]
        trained_arrays = trained_weights(class_name, _config(node), arrays) if trained else []
        return Entry(
            layer=path,
            class_name=class_name,
            weights=tuple(array.shape for array in arrays),
            params=sum(prod(array.shape) for array in arrays),
            trainable=None if self.bare else sum(prod(array.shape) for array in trained_arrays),
            bytes=sum(prod(array.shape) * array.dtype.itemsize for array in arrays),
        )

    def inner_entries(
        self,
        groups: dict[str, Any],
        class_name: str,
        node: Node | None,
        parent: str,
        trained: bool,
    ) -> Iterator[Entry]:
        """Yield the entries of the layers in the attributes of a layer, single or in lists."""
        config = dict(_config(node))
        if "forward_layer" in groups:
            config = {("forward_layer" if k == "layer" else k): v for k, v in config.items()}
        order = [*config, *_SINGLE]  # the groups of a file are sorted by name
        for key in sorted(groups, key=lambda k: order.index(k) if k in order else len(order)):
            group, child = groups[key], _node(config.get(key))
            if _STATE.search(key):
                continue
            if _vars(group) is None and child is None and key not in _SINGLE:
                yield from self.list_entries(self.groups(group), config.get(key), parent, trained)
                continue
            child = child or _by_name(config, _saved_name(group))
            inner_class = _INSIDE.get((class_name, key), "")
            name = f"{parent}{_name(group, child, key)}"
            yield from self.visit(group, name, inner_class, child, trained)

    def list_entries(
        self, groups: dict[str, Any], nodes: Any, parent: str, trained: bool
    ) -> Iterator[Entry]:
        """Yield the entries of the layers in a list, in the order of the config if there is one."""
        keys = {_saved_name(group): key for key, group in groups.items() if _saved_name(group)}
        remaining = dict(groups)
        for default_key, node in _layers_in_list(nodes):
            name, class_name = str(node["config"].get("name")), str(node["class_name"])
            key = keys.get(name, default_key)
            if key in remaining:
                group = remaining.pop(key)
                path = f"{parent}{_name(group, node, key)}"
                yield from self.visit(group, path, class_name, node, trained)
            elif "shared_object_id" in node and (class_name, name) in self.paths:
                # A shared layer is saved and counted at its first place.
                owner = self.paths[class_name, name]
                yield Entry(f"{parent}{name}", class_name, shared=owner)
        for key, group in remaining.items():
            if _STATE.search(key):
                continue
            if key.startswith("container") and _vars(group) is None:
                yield from self.list_entries(self.groups(group), None, parent, trained)
            else:
                name = f"{parent}{_name(group, None, key)}"
                yield from self.visit(group, name, _class_from_key(key), None, trained)

    def groups(self, group: Any) -> dict[str, Any]:
        """The groups in a group; raises a ValueError for a group that lies in several places."""
        import h5py

        groups = _groups(group)
        for key, inner in groups.items():
            place = h5py.h5o.get_info(inner.id).addr
            if place in self.places:  # else the walk might never end
                raise ValueError(f"its group {inner.name or key} lies in several places")
            self.places.add(place)
        return groups

    def sizes(self, group: Any) -> Iterator[int]:
        """Yield the number of elements of every array in a group, at any depth."""
        yield from (prod(array.shape) for array in _datasets(group))
        for inner in self.groups(group).values():
            yield from self.sizes(inner)

    def equal_weights(self) -> Iterator[str]:
        """Yield a note for each set of equal weights: a file has a tied weight once per layer."""
        shapes = [(array.shape, array.dtype) for _, array in self.arrays]
        counts, total = Counter(shapes), 0
        paths_by_digest: dict[tuple[Any, ...], list[str]] = {}
        for (path, array), shape in zip(self.arrays, shapes, strict=True):
            if len(array.shape) > 1 and counts[shape] > 1:
                total += prod(array.shape) * array.dtype.itemsize
                _check_more(total, "its weights of one shape", self.stored)
                digest = _digest(array)
                if digest is not None:
                    paths_by_digest.setdefault((*shape, digest), []).append(path)
        for paths in paths_by_digest.values():
            if len(paths) > 1:
                yield (
                    f"{' and '.join(paths)} hold a weight of equal values: if the model shares it, "
                    "it is counted once for each of them here."
                )


def _groups(group: Any) -> dict[str, Any]:
    """The groups in a group, `dense_10` after `dense_9`; links to other places are left out."""
    import h5py

    groups = {
        key: group[key]
        for key in group
        if key != "vars"
        and isinstance(group.get(key, getlink=True), h5py.HardLink)
        and isinstance(group[key], h5py.Group)
    }
    return dict(sorted(groups.items(), key=lambda item: _natural(item[0])))


def _vars(group: Any) -> Any:
    """The group `vars` inside a group, None without one; a link does not count."""
    import h5py

    is_hard_link = isinstance(group.get("vars", getlink=True), h5py.HardLink)
    return group["vars"] if is_hard_link and isinstance(group["vars"], h5py.Group) else None


def _datasets(group: Any) -> list[Any]:
    """The arrays in the `vars` of a group, in their order; links are left out."""
    import h5py

    variables = _vars(group)
    if variables is None:
        return []
    names = [
        key for key in variables if isinstance(variables.get(key, getlink=True), h5py.HardLink)
    ]
    arrays = [variables[key] for key in sorted(names, key=_natural)]
    arrays = [array for array in arrays if isinstance(array, h5py.Dataset)]
    for array in arrays:
        if array.shape is None:
            raise ValueError(f"its weight {array.name} is null: it has no shape and no values")
        if array.is_virtual or array.external:
            raise ValueError(f"its weight {array.name} lies in other files")
    return arrays


def _digest(array: Any) -> bytes | None:
    """A hash of the values; None for initial values such as zeros, which many weights share."""
    rows = max(1, _BLOCK // max(1, prod(array.shape[1:]) * array.dtype.itemsize))
    digest = hashlib.sha256()
    for start in range(0, array.shape[0], rows):
        values = array[start : start + rows]
        if start == 0:
            sample = values.ravel()[:10_000].tolist()
            if len({*sample}) <= len(sample) // 2:
                return None
        digest.update(values.tobytes())
    return digest.digest() if array.size else None


def _natural(name: str) -> tuple[str, int]:
    stem, number = re.fullmatch(r"(.*?)_?(\d*)", name, re.S).groups()  # type: ignore[union-attr]
    return stem, int(number or -1)


def _saved_name(group: Any) -> str:
    """The layer's name in the file; "" in files of older versions, which do not have it."""
    variables = _vars(group)
    return "" if variables is None else str(variables.attrs.get("name", ""))


def _name(group: Any, node: Node | None, default: str) -> str:
    """The layer's name in the file, else in the config, else the default."""
    return _saved_name(group) or str(_config(node).get("name") or default)


def _node(value: Any) -> Node | None:
    """The value if it is the config of a layer, else None."""
    if isinstance(value, Mapping) and isinstance(value.get("config"), Mapping):
        return value if "class_name" in value else None
    return None


def _config(node: Node | None) -> Mapping[str, Any]:
    return {} if node is None else node["config"]


def _by_name(config: Mapping[str, Any], name: str) -> Node | None:
    """The layer of that name among the values of a config and their lists, else None."""
    for value in config.values():
        for item in value if isinstance(value, list) else [value]:
            node = _node(item)
            if node is not None and name and _config(node).get("name") == name:
                return node
    return None


def _layers_in_list(nodes: Any) -> Iterator[tuple[str, Node]]:
    """Yield the layers of a list in a config, each with the key of its group in the file."""
    used: dict[str, int] = {}
    for value in nodes if isinstance(nodes, list) else []:
        node = _node(value)
        # An operation between layers is listed too, but has no group in the file.
        if node is None or ".ops" in str(node.get("module")):
            continue
        key = _snake(str(node["class_name"]).rpartition(">")[2])
        used[key] = used.get(key, -1) + 1
        yield f"{key}_{used[key]}" if used[key] else key, node


def _snake(name: str) -> str:
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", name))
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def _class_from_key(key: str) -> str:
    """The likely class name behind a key, such as `LSTM` behind `lstm_1`."""
    words = re.sub(r"_\d+$", "", key).split("_")
    return "".join(_ACRONYMS.get(word, word.capitalize()) for word in words)
