"""Reads .keras and .weights.h5 files without a backend and without custom objects.

Weights lie in HDF5 groups that follow the attributes of the layers: `layers/lstm/cell/vars/0`. A
group in a list is named after its layer's class, and the attribute `name` of `vars` is the
layer's name. What class it is and whether it is trained stands in config.json, which only .keras
files have.
"""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any

from kerasseq.io.atomic import finish
from kerasseq.io.limits import check_size, read_member
from kerasseq.params.contents import Contents, Entry

Node = Mapping[str, Any]  # a layer in config.json: `class_name`, `config` and more

# How many of a layer's own weights, the last ones, are never trained.
_UNTRAINED = {"BatchNormalization": 2, "Normalization": 3, "SpectralNormalization": 1}
# Attributes that hold one layer; the config of a Bidirectional calls the first one `layer`.
_SINGLE = ("cell", "layer", "forward_layer", "backward_layer")
# State that is saved beside weights in files of older versions, and is no parameter.
_STATE = re.compile(r"seed_generator|metrics?$|tracker$")
_MADE_OF_CELLS = ("LSTM", "GRU", "SimpleRNN")
_BLOCK = 2**24  # bytes of a weight that are read at a time
_ACRONYMS = {"lstm": "LSTM", "gru": "GRU", "rnn": "RNN", "lru": "LRU", "mgu": "MGU"}
_BARE = (
    "A .weights.h5 file holds shapes and totals only: what is trained, and the order of the "
    "layers, stand in a .keras file."
)


def read(path: Path) -> Contents:
    """The layers in a .keras or .weights.h5 file, or in the model.keras of a folder.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is another kind of file, or a damaged one.
    """
    if path.is_dir():
        finish(path)
        path = path / "model.keras"
        if not path.is_file():
            raise FileNotFoundError(f"The folder '{path.parent}' holds no model.keras.")
    if not path.is_file():
        raise FileNotFoundError(f"There is no file '{path}'.")
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
                return _Reader(file, None, size).contents(path.name)
        raise ValueError("it is neither a .keras archive nor an HDF5 file, or it is damaged")
    # What the readers of zip, JSON and HDF5 raise where a file is damaged.
    except (
        *(ValueError, KeyError, OSError, EOFError, RuntimeError),
        *(zipfile.BadZipFile, zlib.error),
    ) as error:
        reason = " ".join(str(error).strip("'\"").split()).rstrip(".") or type(error).__name__
        raise ValueError(f"'{path}' cannot be read as a Keras file: {reason}.") from error


def _members(archive: zipfile.ZipFile, stored: int) -> list[bytes]:
    """The JSON files that Keras writes into an archive, beside weights that may be read."""
    texts, weights = ("config.json", "metadata.json"), "model.weights.h5"
    if not {*texts, weights} <= {*archive.namelist()}:
        raise ValueError("it is a zip archive, but none that Keras 3 wrote")
    for name in (*texts, weights):
        _check_more(archive.getinfo(name).file_size, f"its {name}", stored)
    return [read_member(archive, archive.getinfo(name)) for name in texts]


def _check_more(size: int, what: str, stored: int) -> None:
    """Raise a ValueError if bytes are many more than the file; they are read in parts."""
    if size > stored:
        check_size(size, what, stored)


class _Reader:
    """One pass over a file's groups, led by its config where it has one."""

    def __init__(self, file: Any, config: Any, stored: int) -> None:
        if "layer_names" in file.attrs or "model_weights" in file:
            raise ValueError(
                "it is in the old HDF5 format; load it with keras.models.load_model and save the "
                "model as .keras"
            )
        self.file = file
        self.bare = config is None
        self.node = _node(config)
        if not self.bare and self.node is None:
            raise ValueError("its config.json describes no model")
        self.stored = stored
        self.places: set[Any] = set()
        self.seen: dict[tuple[str, str], str] = {}
        self.arrays: list[tuple[str, Any]] = []

    def contents(self, name: str) -> Contents:
        """Everything in the file."""
        groups = self.groups(self.file)
        optimizer = groups.pop("optimizer", None)
        trained = bool(_config(self.node).get("trainable", True))
        root = str(self.node["class_name"]) if self.node else ""
        own = self.entry(self.file, root, self.node, _name(self.file, self.node, "model"), trained)
        entries = list(self.inside(groups, root, self.node, "", trained))
        if own.params:
            entries.insert(0, own)
        if not entries and _vars(self.file) is None:
            raise ValueError("it is an HDF5 file, but none with the weights of a Keras model")
        return Contents(
            name=f"{name} ({root})" if root else name,
            entries=tuple(entries),
            optimizer=0 if optimizer is None else sum(self.sizes(optimizer)),
            notes=(*([_BARE] if self.bare else []), *self.twins()),
        )

    def visit(
        self, group: Any, name: str, class_name: str, node: Node | None, trained: bool
    ) -> Iterator[Entry]:
        """A layer, named as it is found below its parent, and those inside it."""
        if node is not None:
            class_name = str(node["class_name"])
        trained = trained and bool(_config(node).get("trainable", True))
        yield self.entry(group, class_name, node, name, trained)
        yield from self.inside(self.groups(group), class_name, node, f"{name}/", trained)

    def entry(
        self, group: Any, class_name: str, node: Node | None, path: str, trained: bool
    ) -> Entry:
        """What a layer owns itself."""
        held = _datasets(group)
        if class_name == "SpectralNormalization" and len(held) == 2:
            held = held[1:]  # the first is the kernel of the layer inside, which has it too
        if node is not None:
            self.seen.setdefault((class_name, str(node["config"].get("name"))), path)
        self.arrays += [(path, array) for array in held]
        learned = _learned(class_name, _config(node), held) if trained else []
        return Entry(
            layer=path,
            class_name=class_name,
            weights=tuple(array.shape for array in held),
            params=sum(prod(array.shape) for array in held),
            trainable=None if self.bare else sum(prod(array.shape) for array in learned),
            bytes=sum(prod(array.shape) * array.dtype.itemsize for array in held),
        )

    def inside(
        self,
        groups: dict[str, Any],
        class_name: str,
        node: Node | None,
        parent: str,
        trained: bool,
    ) -> Iterator[Entry]:
        """The layers that the attributes of a layer hold, alone or in lists."""
        config = dict(_config(node))
        if "forward_layer" in groups:
            config = {("forward_layer" if k == "layer" else k): v for k, v in config.items()}
        order = [*config, *_SINGLE]  # a file sorts by name
        for key in sorted(groups, key=lambda k: order.index(k) if k in order else len(order)):
            group, found = groups[key], _node(config.get(key))
            if _STATE.search(key):
                continue
            if _vars(group) is None and found is None and key not in _SINGLE:
                yield from self.listed(self.groups(group), config.get(key), parent, trained)
                continue
            found = found or _by_name(config, _said(group))
            # LSTM, GRU and SimpleRNN do not say in their config which cell they are made of.
            made = f"{class_name}Cell" if key == "cell" and class_name in _MADE_OF_CELLS else ""
            name = f"{parent}{_name(group, found, key)}"
            yield from self.visit(group, name, made, found, trained)

    def listed(
        self, groups: dict[str, Any], nodes: Any, parent: str, trained: bool
    ) -> Iterator[Entry]:
        """The layers in a list, in the order of the config where it tells."""
        named = {_said(group): key for key, group in groups.items() if _said(group)}
        left = dict(groups)
        for expected, node in _expected(nodes):
            name, class_name = str(node["config"].get("name")), str(node["class_name"])
            key = named.get(name, expected)
            if key in left:
                group = left.pop(key)
                path = f"{parent}{_name(group, node, key)}"
                yield from self.visit(group, path, class_name, node, trained)
            elif "shared_object_id" in node and (class_name, name) in self.seen:
                # Saved where it came first, and counted there.
                owner = self.seen[class_name, name]
                yield Entry(f"{parent}{name}", class_name, shared=owner)
        for key, group in left.items():
            if _STATE.search(key):
                continue
            if key.startswith("container") and _vars(group) is None:
                yield from self.listed(self.groups(group), None, parent, trained)
            else:
                name = f"{parent}{_name(group, None, key)}"
                yield from self.visit(group, name, _guess(key), None, trained)

    def groups(self, group: Any) -> dict[str, Any]:
        """The groups in a group, each of which lies in no other."""
        import h5py

        found = _groups(group)
        for key, inner in found.items():
            place = h5py.h5o.get_info(inner.id).addr
            if place in self.places:  # the walk would never end, or take a lifetime
                raise ValueError(f"its group {inner.name or key} lies in several places")
            self.places.add(place)
        return found

    def sizes(self, group: Any) -> Iterator[int]:
        """The sizes of all arrays in a group, at any depth."""
        yield from (prod(array.shape) for array in _datasets(group))
        for inner in self.groups(group).values():
            yield from self.sizes(inner)

    def twins(self) -> Iterator[str]:
        """Says which weights hold equal values: a file keeps a tied weight once per layer."""
        shapes = [(array.shape, array.dtype) for _, array in self.arrays]
        counts, total = Counter(shapes), 0
        alike: dict[tuple[Any, ...], list[str]] = {}
        for (path, array), shape in zip(self.arrays, shapes, strict=True):
            if len(array.shape) > 1 and counts[shape] > 1:
                total += prod(array.shape) * array.dtype.itemsize
                _check_more(total, "its weights of one shape", self.stored)
                digest = _digest(array)
                if digest is not None:
                    alike.setdefault((*shape, digest), []).append(path)
        for paths in alike.values():
            if len(paths) > 1:
                yield (
                    f"{' and '.join(paths)} hold a weight of equal values: if the model shares it, "
                    "it is counted more than once here."
                )


def _groups(group: Any) -> dict[str, Any]:
    """The groups in a group, `dense_10` after `dense_9`; links to elsewhere are not followed."""
    import h5py

    found = {
        key: group[key]
        for key in group
        if key != "vars"
        and isinstance(group.get(key, getlink=True), h5py.HardLink)
        and isinstance(group[key], h5py.Group)
    }
    return dict(sorted(found.items(), key=lambda item: _natural(item[0])))


def _vars(group: Any) -> Any:
    """The group `vars` of a group, where it has one of its own."""
    import h5py

    own = isinstance(group.get("vars", getlink=True), h5py.HardLink)
    return group["vars"] if own and isinstance(group["vars"], h5py.Group) else None


def _datasets(group: Any) -> list[Any]:
    """The arrays in the `vars` of a group, in their order; links are not followed here either."""
    import h5py

    held = _vars(group)
    if held is None:
        return []
    names = [key for key in held if isinstance(held.get(key, getlink=True), h5py.HardLink)]
    arrays = [held[key] for key in sorted(names, key=_natural)]
    arrays = [array for array in arrays if isinstance(array, h5py.Dataset)]
    for array in arrays:
        if array.shape is None:
            raise ValueError(f"its weight {array.name} is null: it has no shape and no values")
        if array.is_virtual or array.external:
            raise ValueError(f"its weight {array.name} lies in other files")
    return arrays


def _digest(array: Any) -> bytes | None:
    """What tells values apart; None for initial ones, such as zeros, which are equal anyway."""
    rows = max(1, _BLOCK // max(1, prod(array.shape[1:]) * array.dtype.itemsize))
    found = hashlib.sha256()
    for start in range(0, array.shape[0], rows):
        values = array[start : start + rows]
        if start == 0:
            some = values.ravel()[:10_000].tolist()
            if len({*some}) <= len(some) // 2:
                return None
        found.update(values.tobytes())
    return found.digest() if array.size else None


def _natural(name: str) -> tuple[str, int]:
    stem, number = re.fullmatch(r"(.*?)_?(\d*)", name, re.S).groups()  # type: ignore[union-attr]
    return stem, int(number or -1)


def _said(group: Any) -> str:
    """The layer's name as the file says; older versions of Keras did not say it."""
    held = _vars(group)
    return "" if held is None else str(held.attrs.get("name", ""))


def _name(group: Any, node: Node | None, default: str) -> str:
    """The layer's name as the file says, else as the config says."""
    return _said(group) or str(_config(node).get("name") or default)


def _node(value: Any) -> Node | None:
    """The value if it describes a layer."""
    if isinstance(value, Mapping) and isinstance(value.get("config"), Mapping):
        return value if "class_name" in value else None
    return None


def _config(node: Node | None) -> Mapping[str, Any]:
    return {} if node is None else node["config"]


def _by_name(config: Mapping[str, Any], name: str) -> Node | None:
    """The layer of that name anywhere right inside a config."""
    for value in config.values():
        for item in value if isinstance(value, list) else [value]:
            node = _node(item)
            if node is not None and name and _config(node).get("name") == name:
                return node
    return None


def _expected(nodes: Any) -> Iterator[tuple[str, Node]]:
    """The layers of a list in a config, each with the key that Keras saves it under."""
    used: dict[str, int] = {}
    for value in nodes if isinstance(nodes, list) else []:
        node = _node(value)
        # An operation between layers is listed with them and saved nowhere.
        if node is None or ".ops" in str(node.get("module")):
            continue
        key = _snake(str(node["class_name"]).rpartition(">")[2])
        used[key] = used.get(key, -1) + 1
        yield f"{key}_{used[key]}" if used[key] else key, node


def _snake(name: str) -> str:
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", name))
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def _guess(key: str) -> str:
    """The class that a key in a list was made from, as far as it shows."""
    words = re.sub(r"_\d+$", "", key).split("_")
    return "".join(_ACRONYMS.get(word, word.capitalize()) for word in words)


def _learned(class_name: str, config: Mapping[str, Any], held: Sequence[Any]) -> list[Any]:
    """The weights that training changes in a layer that is trained."""
    last = len(held) - _UNTRAINED.get(class_name, 0)
    if any(array.dtype.kind in "iu" for array in held[:last]):
        # A quantised layer: integers and their scales stay; what may change is the bias.
        biased = "use_bias" in config and config["use_bias"]
        return list(held[1:2]) if biased else []
    return list(held[:last])
