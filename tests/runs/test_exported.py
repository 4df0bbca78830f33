"""An exported run predicts as the run does, where there is neither kerasseq nor a backend."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest

import kerasseq
from kerasseq.cli import main
from kerasseq.runs import quantized
from tests.golden.replay import GOLDEN, RUNS
from tests.layers.harness import draw
from tests.thorough import first_of
from tests.toy import SETTINGS, TASK

of_tensorflow = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="the saved runs are of TensorFlow"
)
#: Modules of packages whose names differ.
MODULES = {"pillow": "PIL", "ai-edge-litert": "ai_edge_litert"}
#: Prints answers of methods of predict.py, with the packages that it requires alone on its path.
ALONE = """
import json, sys
sys.path = [path for path in sys.path if "packages" not in path] + [sys.argv[1], sys.argv[2]]
import numpy, predict

def restored(value):
    if isinstance(value, dict) and "array" in value:
        return numpy.array(value["array"], value["dtype"])
    return [restored(each) for each in value] if isinstance(value, list) else value

predictor = predict.Predictor()
answers = [
    getattr(predictor, verb)(*map(restored, arguments), **options)
    for verb, arguments, options in json.load(sys.stdin)
]
loaded = [name for name in ("kerasseq", "keras", "tensorflow", "pandas") if name in sys.modules]
print(json.dumps([answers, loaded, importlib.util.find_spec("kerasseq") is None]))
"""


def call_alone(folder: Path, calls: list[Any], packages: Path) -> list[Any]:
    """Answers of an exported run in a process that finds the packages that it requires alone.

    Args:
        folder: the exported run.
        calls: method, arguments and options of each call.
        packages: folder that is made for the packages.
    """
    packages.mkdir()
    required = json.loads((folder / "manifest.json").read_text())["requires"]
    for package in [MODULES.get(name, name) for name in required]:
        place = Path(importlib.import_module(package).__file__).parent  # type: ignore[arg-type]
        (packages / place.name).symlink_to(place)
    for name in required:
        libraries = Path(np.__file__).parents[1] / f"{name}.libs"
        if libraries.exists():  # wheels of some platforms have none
            (packages / libraries.name).symlink_to(libraries)
    result = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import importlib.util{ALONE}", folder, packages],
        input=json.dumps(plain(calls)),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr
    answers, loaded, is_absent = json.loads(result.stdout)
    assert loaded == []
    assert is_absent
    return list(answers)


def predict_alone(folder: Path, rows: list[Any], packages: Path) -> pd.DataFrame:
    """The predictions of an exported run; see `call_alone`."""
    return pd.DataFrame(call_alone(folder, [("predict", [rows], {})], packages)[0])


def predictor_of(folder: Path) -> Any:
    """The `Predictor` of an exported run, in this process."""
    spec = importlib.util.spec_from_file_location(folder.name, folder / "predict.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Predictor()


def in_shell(folder: Path, *words: str, content: bytes = b"") -> subprocess.CompletedProcess[str]:
    """Runs predict.py of an exported run.

    Args:
        folder: the exported run.
        *words: of the command line.
        content: of the standard input.
    """
    command = [sys.executable, str(folder / "predict.py"), *words]
    result = subprocess.run(command, input=content, capture_output=True, timeout=300)
    return subprocess.CompletedProcess(
        command, result.returncode, result.stdout.decode(), result.stderr.decode()
    )


def plain(value: Any) -> Any:
    """Values for JSON, arrays with their dtype."""
    if isinstance(value, np.ndarray):
        return {"array": value.tolist(), "dtype": str(value.dtype)}
    return [plain(each) for each in value] if isinstance(value, list | tuple) else value


def assert_same(alone: pd.DataFrame, expected: pd.DataFrame, rtol: float = 0) -> None:
    pd.testing.assert_frame_equal(
        alone, expected[alone.columns], check_dtype=False, rtol=rtol, atol=1e-5
    )


@pytest.fixture(scope="module")
def run() -> Any:
    """A small run, of words and n-grams."""
    return kerasseq.load(RUNS / "sentiment")


TEXTS = ["A fine film", "not a GOOD film \u2014 dull\ud83d", "", "\u4e16\u754c", "the film " * 300]


@of_tensorflow
def test_a_run_of_texts(run: Any, tmp_path: Path) -> None:
    folder = run.export(tmp_path / "exported")
    assert_same(predict_alone(folder, TEXTS, tmp_path / "path"), run.predict(TEXTS))
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["requires"] == ["numpy", "onnxruntime", "tokenizers"]
    for name, expected in manifest["files"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == expected


@of_tensorflow
def test_missing_texts_are_empty_and_others_refused(run: Any, tmp_path: Path) -> None:
    folder = run.export(tmp_path / "exported")
    predictor, texts = predictor_of(folder), ["a", None, float("nan"), pd.NA]
    assert_same(pd.DataFrame(predictor.predict(texts)), run.predict(texts))
    for data, message in [(["a", 5], "text 1 is 5"), ([], "here is no text")]:
        for predict in (run.predict, predictor.predict):
            with pytest.raises(ValueError, match=message):
                predict(data)
    with pytest.raises(TypeError, match="Give a list of texts"):
        predictor.predict(None)


@of_tensorflow
def test_the_shell_reads_lines_with_any_ends(run: Any, tmp_path: Path) -> None:
    folder = run.export(tmp_path / "exported")
    result = in_shell(folder, content=b"\xef\xbb\xbfa film\r\nA good one")
    assert result.returncode == 0, result.stderr
    texts = [json.loads(line)["text"] for line in result.stdout.splitlines()]
    assert texts == ["a film", "A good one"]
    result = in_shell(folder)
    assert result.returncode == 2
    assert result.stderr.splitlines() == ["There is no text to predict. Give at least one."]


@of_tensorflow
def test_a_run_of_subwords(tmp_path: Path) -> None:
    run = kerasseq.load(RUNS / "sentiment-subwords")
    folder = run.export(tmp_path / "exported")
    assert_same(predict_alone(folder, TEXTS, tmp_path / "path"), run.predict(TEXTS))


@pytest.mark.thorough
def test_a_run_of_many_words(tmp_path: Path) -> None:
    run = kerasseq.sentiment(epochs=1, units=4, embedding=8, quiet=True)
    folder = run.export(tmp_path / "exported")
    assert_same(predict_alone(folder, TEXTS, tmp_path / "path"), run.predict(TEXTS))


@pytest.mark.thorough
@pytest.mark.parametrize(
    "options",
    [
        {"tokens": "subword", "ngrams": 3, "truncate": "middle", "length": 7},
        {"ngrams": 0, "truncate": "start", "length": 9},
        {"tokens": "character", "ngrams": 2, "lowercase": False},
    ],
    ids=["subwords", "without n-grams", "characters"],
)
def test_other_tokens_and_three_classes(options: dict[str, Any], tmp_path: Path) -> None:
    words = {"a": ("fine", "good"), "b": ("bad", "dull"), "note": ("so", "fair")}
    rows = [(f"a {x} film {n}", name) for name, pair in words.items() for x in pair
            for n in range(20)]  # fmt: skip
    data = pd.DataFrame(rows, columns=["text", "label"])
    small = {"epochs": 1, "units": 4, "embedding": 4, "quiet": True}
    run = kerasseq.sentiment(data, **small, **options)
    folder = run.export(tmp_path / "exported")
    assert_same(predict_alone(folder, TEXTS, tmp_path / "path"), run.predict(TEXTS))


@pytest.mark.parametrize("labels", first_of([["a", "b"], [0.5, 1.5]]))
def test_a_run_of_sequences(labels: list[Any], tmp_path: Path) -> None:
    options = {"normalize": "sequence", "differences": True, "convolutions": 1}
    data = draw(40, 9, 2), labels * 20
    run = kerasseq.sequence_classification(data, epochs=1, units=4, quiet=True, **options)
    folder = run.export(tmp_path / "exported")
    new = [draw(length, 2, seed=length) for length in (1, 5, 12)]
    new[1][2:4, 0] = np.nan
    new[2][:, 1] = np.nan
    assert_same(predict_alone(folder, new, tmp_path / "path"), run.predict(new))


@of_tensorflow
@pytest.mark.parametrize("name", first_of(["sequences", "sequences-regression"]))
def test_a_saved_run_of_sequences(name: str, tmp_path: Path) -> None:
    """Operations between the layers of a model that was loaded, whose keys are lists."""
    run = kerasseq.load(RUNS / name)
    folder = run.export(tmp_path / "exported")
    (channels,) = json.loads((folder / "preprocessing.json").read_text())["shape"]
    new = [draw(length, channels, seed=length) for length in (1, 5, 12)]
    assert_same(predict_alone(folder, new, tmp_path / "path"), run.predict(new))


@pytest.mark.parametrize(
    ("labels", "options"),
    first_of(
        [
            (["a", "b"], {"stride": 3, "differences": True}),
            ([0.5, 1.5], {"normalize": "sequence"}),
        ]
    ),
    ids=["classes", "regression"],
)
def test_a_run_of_windows(labels: list[Any], options: dict[str, Any], tmp_path: Path) -> None:
    """Recordings are cut as the run does, and what is left after the last window is left out."""
    data = draw(20, 13, 2), labels * 10
    run = kerasseq.sequence_classification(data, window=5, epochs=1, units=4, quiet=True, **options)
    folder = run.export(tmp_path / "exported")
    new = [draw(length, 2, seed=length) for length in (1, 5, 12, 23)]
    new[2][2:4, 0] = np.nan
    alone = predict_alone(folder, new, tmp_path / "path")
    assert_same(alone, run.predict(new))
    step = options.get("stride", 5)
    assert alone["sequence"].tolist()[:4] == ["0[0:1]", "1[0:5]", "2[0:5]", f"2[{step}:{step + 5}]"]


@of_tensorflow
@pytest.mark.thorough
def test_the_shell_names_windows_by_their_files(tmp_path: Path) -> None:
    data = draw(20, 12, 2), ["a", "b"] * 10
    run = kerasseq.sequence_classification(data, window=6, epochs=1, units=4, quiet=True)
    folder = run.export(tmp_path / "exported")
    paths = [tmp_path / name for name in ("one.npy", "two.npy")]
    for path in paths:
        np.save(path, draw(12, 2))
    result = in_shell(folder, *map(str, paths))
    names = [json.loads(line)["sequence"] for line in result.stdout.splitlines()]
    assert names == ["one.npy[0:6]", "one.npy[6:12]", "two.npy[0:6]", "two.npy[6:12]"]
    with pytest.raises(ValueError, match="1 names for 2 sequences"):
        predictor_of(folder).predict([np.ones((3, 2))] * 2, names=["one"])


def test_a_run_of_numbers_that_float32_would_round(tmp_path: Path) -> None:
    """Small changes of large numbers, such as the seconds of a clock, are kept."""
    data = draw(40, 9, 2).astype("float64") + 1e9, ["a", "b"] * 20
    run = kerasseq.sequence_classification(data, epochs=1, units=4, quiet=True)
    folder = run.export(tmp_path / "exported")
    new = [draw(length, 2, seed=length).astype("float64") + 1e9 for length in (1, 5, 12)]
    alone = pd.DataFrame(predictor_of(folder).predict(new))
    assert_same(alone, run.predict(new))
    assert len({*alone["a"]}) == 3


@pytest.mark.thorough
def test_a_run_of_videos_by_a_frozen_network(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    data = rng.integers(0, 256, (12, 3, 20, 24, 3), np.uint8), ["a", "b"] * 6
    network = {"encoder": "mobilenet_v2", "weights": None, "image_size": 32}
    run = kerasseq.sequence_classification(
        data, **network, test=0.3, validation=0.3, epochs=1, units=4, quiet=True
    )
    folder = run.export(tmp_path / "exported")
    new = [
        rng.integers(0, 256, (length, 32, 32, channels), np.uint8)
        for length, channels in ((1, 3), (35, 1), (2, 4))
    ]
    assert_same(predict_alone(folder, new, tmp_path / "path"), run.predict(new))
    for bad in (new[0] / 255, new[0].astype(int) + 200):
        with pytest.raises(ValueError, match="sequence 0 must be whole numbers from 0 to 255"):
            predictor_of(folder).predict([bad])


LINES = ["Ada saw Rome.", "", None, "Zora left\nOslo 7 \ud83d", "\u2603", "Rome saw Ada. " * 40]
SAMPLES: list[dict[str, Any]] = [
    {"temperature": 0.0},
    {"length": 70, "seed": 3},
    {"top_k": 3, "top_p": 0.9, "repetition_penalty": 1.2, "stop": "o"},
]


def check_language_model(
    run: Any, prompts: list[str], tmp_path: Path, format: str = "onnx"
) -> None:
    folder = run.export(tmp_path / "exported", format)
    written = [("generate", [prompt], options) for prompt in prompts for options in SAMPLES]
    calls = [("score", [LINES], {}), *written]
    scores, *texts = call_alone(folder, calls, tmp_path / "path")
    # Sums over hundreds of tokens differ by as much as these do together.
    assert_same(pd.DataFrame(scores), run.score(LINES), rtol=1e-6)
    assert texts == [run.generate(*arguments, **options) for _, arguments, options in written]


@of_tensorflow
@pytest.mark.parametrize("name", first_of(["language-model", "language-model-words"]))
def test_a_run_of_a_language_model(name: str, tmp_path: Path) -> None:
    check_language_model(kerasseq.load(RUNS / name), ["Ada saw R"], tmp_path)


@of_tensorflow
def test_options_of_generate_are_refused_as_the_run_does(tmp_path: Path) -> None:
    run = kerasseq.load(RUNS / "language-model")
    predictor = predictor_of(run.export(tmp_path / "exported"))
    refused: list[dict[str, Any]] = [
        {"length": 0},
        {"length": True},
        {"temperature": -1},
        {"temperature": float("nan")},
        {"top_k": -1},
        {"top_k": 1.5},
        {"top_p": 0},
        {"top_p": 1.5},
        {"repetition_penalty": 0},
        {"stop": ""},
        {"seed": -1},
    ]
    for options in refused:
        (name,) = options
        for generate in (run.generate, predictor.generate):
            with pytest.raises(ValueError, match=f"{name}.* must be .*Received: {name}="):
                generate("Ada", **options)


@pytest.mark.thorough
@pytest.mark.parametrize(
    "options",
    [
        {"tokens": "subword", "vocabulary_size": 300, "cell": "mgu", "depth": 2, "min_count": 1},
        {"lines": True, "lowercase": True, "tied": False},
        {"tokens": "word", "min_count": 1, "cell": "lru", "lines": True},
    ],
    ids=["subwords", "lines of characters", "lines of words"],
)
def test_other_language_models(options: dict[str, Any], tmp_path: Path) -> None:
    lines = [f"{a} saw {b}." for a in ("Ada", "Bob", "Zo\u00eb") for b in ("Rome", "Oslo")] * 60
    (tmp_path / "text.txt").write_text("\n".join(lines), encoding="utf-8")
    small = {"epochs": 1, "units": 8, "steps": 20, "batch_size": 4, "quiet": True}
    run = kerasseq.language_model(str(tmp_path / "text.txt"), **small, **options)
    check_language_model(run, ["Ada saw"], tmp_path)


@of_tensorflow
def test_a_run_of_a_tagger(tmp_path: Path) -> None:
    run = kerasseq.load(RUNS / "tagging")
    folder = run.export(tmp_path / "exported")
    sentences = [
        "Ada saw Oslo, Rome didn't.",
        "",
        ["Zora", "left", "."],
        ["a", ""],
        5,
        "Bob 7 " * 90,
    ]
    assert_same(predict_alone(folder, sentences, tmp_path / "path"), run.tag(sentences))


@of_tensorflow
@pytest.mark.thorough
def test_a_run_of_a_tagger_with_further_columns(tmp_path: Path) -> None:
    run = kerasseq.load(RUNS / "tagging-columns")
    folder = run.export(tmp_path / "exported")
    table = pd.DataFrame(
        {"sentence": [0, 0, 0, 1], "token": ["Ada", "saw", "Oslo", "Bob"], "pos": [*"NVNN"]}
    )
    call = ("predict", [[["Ada", "saw", "Oslo"], ["Bob"]], None], {})
    call[1][1] = {"pos": [["N", "V", "N"], ["N"]]}
    (alone,) = call_alone(folder, [call], tmp_path / "path")
    assert_same(pd.DataFrame(alone), run.tag(table))


@pytest.mark.thorough
def test_a_tagger_of_several_columns_and_labels(tmp_path: Path) -> None:
    lines = [
        {"sentence": n, "token": word, "slot": tag, "pos": pos, "intent": intent}
        for n in range(40)
        for intent, city in [(("fly", "drive")[n % 2], f"City{n}")]
        for word, tag, pos in zip(
            [intent, "to", city, "Town", "now"], ["O", "O", "B-city", "I-city", "O"], [*"VPNNA"]
        )
    ]
    run = kerasseq.tagging(
        pd.DataFrame(lines), tag=["slot", "pos"], sentence_label="intent", epochs=1, units=4,
        length=3, model_scheme="BIOES", quiet=True,
    )  # fmt: skip
    folder = run.export(tmp_path / "exported")
    sentences = ["fly to City3 Town", "now", "drive to City5 Town now or never"]
    assert_same(predict_alone(folder, sentences, tmp_path / "path"), run.tag(sentences))


@of_tensorflow
@pytest.mark.parametrize("name", first_of(["forecasting", "forecasting-seasons"]))
def test_a_run_of_a_forecaster(name: str, tmp_path: Path) -> None:
    run = kerasseq.load(RUNS / name)
    folder = run.export(tmp_path / "exported")
    history, quantiles = str(GOLDEN / "data" / "series.csv"), [0.05, 0.5]
    options = {"horizon": 2, "quantiles": quantiles}
    calls = [("forecast", [], {}), ("predict", [history], options)]
    answers = call_alone(folder, calls, tmp_path / "path")
    expected = [run.forecast(), run.predict(history, **options)]
    for alone, each in zip(map(pd.DataFrame, answers), expected, strict=True):
        assert_same(alone.assign(month=pd.to_datetime(alone["month"])), each, rtol=1e-5)


#: Words after predict.py that cannot be read, and a part of the message, by the name of a run.
WRONG: dict[str, list[tuple[str, str]]] = {
    "sequences": [
        ("none.npy", "none.npy"),
        ("wrong.npy", "wrong.npy is not a .npy file"),
        ("empty.npy", "empty.npy is not a .npy file"),
        ("text.npy", "Sequence 0 must hold numbers"),
        ("", "Give at least one"),
    ],
    "language-model": [
        ("--generate=", "The prompt must have at least one token"),
        ("--generate=Ada --length=0", "length must be a whole number of at least 1"),
        ("", "There is no text to score"),
    ],
    "tagging": [("", "There is no sentence to tag")],
    "tagging-columns": [("Ada", "further columns (pos), which the shell cannot give")],
    "forecasting": [
        ("none.csv", "none.csv"),
        ("wrong.csv", "The table has no column 'month'"),
        ("bytes.csv", "bytes.csv cannot be read as a table"),
        ("--quantiles 2", "quantiles must be levels between 0 and 1"),
    ],
    "captioning": [("none.png", "none.png")],
    "captioning-features": [("empty.npy", "empty.npy is not a .npy file")],
}


@of_tensorflow
@pytest.mark.parametrize("name", first_of([*WRONG]))
def test_the_shell_is_told_what_is_wrong_in_one_line(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("text.npy", np.array([["a", "b"]]))
    files = {"wrong.npy": b"a", "empty.npy": b"", "wrong.csv": b"a,b\n1,2\n", "bytes.csv": b"\xff"}
    for file, content in files.items():
        Path(file).write_bytes(content)
    folder = kerasseq.load(RUNS / name).export("exported")
    for words, message in WRONG[name]:
        result = in_shell(folder, *words.split())
        assert (result.returncode, result.stdout) == (2, "")
        assert message in result.stderr
        assert len(result.stderr.splitlines()) == 1


@of_tensorflow
@pytest.mark.parametrize("name", first_of(["captioning", "captioning-features"]))
@pytest.mark.parametrize(
    "search",
    first_of(
        [
            {"beam_width": 5, "length_penalty": 1.0, "no_repeat_ngram_size": 2},
            {"beam_width": 1},
            {},
        ]
    ),
)
def test_a_run_of_captions(name: str, search: dict[str, Any], tmp_path: Path) -> None:
    run = kerasseq.load(RUNS / name)
    folder = run.export(tmp_path / "exported")
    pictures: Any = [str(GOLDEN / "data" / "images" / f"{number}.png") for number in range(6)]
    features = np.load(GOLDEN / "data" / "features.npz")["features"]
    data = features if name == "captioning-features" else pictures
    (alone,) = call_alone(folder, [("predict", [data], search)], tmp_path / "path")
    assert_same(pd.DataFrame(alone), run.predict(data, **search), rtol=1e-6)


@of_tensorflow
def test_an_exported_run_is_not_replaced_unasked(run: Any, tmp_path: Path) -> None:
    run.export(tmp_path)
    with pytest.raises(ValueError, match="overwrite=True"):
        run.export(tmp_path)
    run.export(tmp_path, overwrite=True)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match="not empty"):
        run.export(tmp_path / "other")
    with pytest.raises(ValueError, match="format='tflite'"):
        run.export(tmp_path / "new", "tflite")
    assert not (tmp_path / "new").exists()


@of_tensorflow
def test_the_shell_exports_a_run_and_a_file(
    run: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run.save(tmp_path / "run")
    assert main(["export", str(tmp_path / "run"), "--format", "onnx"]) == 0
    assert (tmp_path / "run-onnx" / "predict.py").is_file()
    assert main(["export", str(tmp_path / "run" / "model.keras"), str(tmp_path / "m.onnx")]) == 0
    assert (tmp_path / "m.onnx").is_file()
    assert main(["export", str(tmp_path / "run"), "--stream"]) == 2
    assert "the folder of a run. Pass the model in it" in capsys.readouterr().err
    assert main(["export", str(tmp_path / "run"), "--format", "tflite"]) == 2
    assert "format" in capsys.readouterr().err


def test_runs_of_other_recipes_are_refused_in_one_sentence() -> None:
    with pytest.raises(ValueError, match=r"a run of toy cannot be exported .*model alone"):
        TASK.standalone(None, {}, SETTINGS)  # type: ignore[arg-type]


# LiteRT


@of_tensorflow
def test_a_run_of_texts_in_litert(
    run: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run.save(tmp_path / "run")
    folder = tmp_path / "exported"
    assert main(["export", str(tmp_path / "run"), str(folder), "--format", "litert"]) == 0
    assert_same(predict_alone(folder, TEXTS, tmp_path / "path"), run.predict(TEXTS))
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["requires"] == ["numpy", "ai-edge-litert", "tokenizers"]
    assert "quantization" not in manifest
    for name, expected in manifest["files"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == expected


@of_tensorflow
@pytest.mark.thorough
@pytest.mark.parametrize("name", ["sequences", "sequences-regression"])
def test_a_run_of_sequences_in_litert(name: str, tmp_path: Path) -> None:
    run = kerasseq.load(RUNS / name)
    folder = run.export(tmp_path / "exported", "litert")
    (channels,) = json.loads((folder / "preprocessing.json").read_text())["shape"]
    new = [draw(length, channels, seed=length) for length in (1, 5, 12)]
    assert_same(predict_alone(folder, new, tmp_path / "path"), run.predict(new))


@of_tensorflow
@pytest.mark.thorough
def test_a_run_of_a_language_model_in_litert(tmp_path: Path) -> None:
    check_language_model(kerasseq.load(RUNS / "language-model"), ["Ada saw R"], tmp_path, "litert")


@of_tensorflow
@pytest.mark.thorough
def test_a_run_of_a_tagger_in_litert(tmp_path: Path) -> None:
    run = kerasseq.load(RUNS / "tagging")
    folder = run.export(tmp_path / "exported", "litert")
    sentences = ["Ada saw Oslo, Rome didn't.", "", ["Zora", "left", "."], "Bob 7 " * 90]
    assert_same(predict_alone(folder, sentences, tmp_path / "path"), run.tag(sentences))


@of_tensorflow
@pytest.mark.parametrize("name", first_of(["captioning", "captioning-features"]))
def test_a_run_of_captions_in_litert(name: str, tmp_path: Path) -> None:
    """Several models by names of their own."""
    run = kerasseq.load(RUNS / name)
    folder = run.export(tmp_path / "exported", "litert")
    pictures: Any = [str(GOLDEN / "data" / "images" / f"{number}.png") for number in range(6)]
    features = np.load(GOLDEN / "data" / "features.npz")["features"]
    data = features if name == "captioning-features" else pictures
    search = {"beam_width": 3, "length_penalty": 1.0}
    (alone,) = call_alone(folder, [("predict", [data], search)], tmp_path / "path")
    assert_same(pd.DataFrame(alone), run.predict(data, **search), rtol=1e-5)
    assert "ai-edge-litert" in (folder / "predict.py").read_text()
    assert ".onnx" not in (folder / "predict.py").read_text()


@of_tensorflow
@pytest.mark.thorough
@pytest.mark.parametrize("name", ["forecasting", "forecasting-seasons"])
def test_a_run_of_a_forecaster_in_litert(name: str, tmp_path: Path) -> None:
    run = kerasseq.load(RUNS / name)
    folder = run.export(tmp_path / "exported", "litert")
    (alone,) = call_alone(folder, [("forecast", [], {})], tmp_path / "path")
    answer = pd.DataFrame(alone)
    assert_same(answer.assign(month=pd.to_datetime(answer["month"])), run.forecast(), rtol=1e-5)


@of_tensorflow
def test_the_loss_of_quantized_weights_is_told(
    run: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = pd.DataFrame({"text": ["a good film", "a bad one"] * 3, "label": ["good", "bad"] * 3})
    folder = run.export(tmp_path / "exported", "litert", quantize="float16", data=rows)
    told = json.loads((folder / "manifest.json").read_text())["quantization"]
    assert (told["weights"], told["data"], told["rows"]) == ("float16", "passed", 6)
    assert told["float32"] == run.evaluate(rows)["test"]
    assert told["quantized"]["log_loss"] == pytest.approx(told["float32"]["log_loss"], abs=0.01)
    assert "float16 weights: accuracy 0.500 in place of 0.500, on 6 rows" in capsys.readouterr().err


@of_tensorflow
@pytest.mark.thorough
def test_a_quantized_tagger_is_scored_behind_its_emissions(tmp_path: Path) -> None:
    run = kerasseq.load(RUNS / "tagging")
    rows = str(GOLDEN / "data" / "sentences.conll")
    folder = run.export(tmp_path / "exported", "litert", quantize="float16", data=rows)
    scores = json.loads((folder / "manifest.json").read_text())["quantization"]
    assert scores["float32"] == run.evaluate(rows)["test"]
    for name, score in scores["float32"].items():
        assert scores["quantized"][name] == pytest.approx(score, abs=0.01)


@of_tensorflow
@pytest.mark.thorough
def test_a_run_of_the_data_of_the_recipe_is_scored_on_its_validation_part(tmp_path: Path) -> None:
    run = kerasseq.sentiment(epochs=1, units=32, embedding=32, quiet=True)
    folder = run.export(tmp_path / "exported", "litert", quantize="int8")
    told = json.loads((folder / "manifest.json").read_text())["quantization"]
    assert told["data"] == "validation"
    assert told["quantized"]["accuracy"] == pytest.approx(told["float32"]["accuracy"], abs=0.1)
    assert told["quantized"] != told["float32"]


@of_tensorflow
@pytest.mark.thorough
def test_a_model_of_one_step_is_not_scored(tmp_path: Path) -> None:
    run = kerasseq.load(RUNS / "language-model")
    with pytest.raises(ValueError, match="models of a run of language_model are not scored; leave"):
        run.export(tmp_path / "exported", "litert", quantize="float16", data=LINES)
    assert not (tmp_path / "exported").exists()


@of_tensorflow
def test_the_reason_names_the_runs_that_are_not_scored(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other runs of the recipe are."""
    run = kerasseq.load(RUNS / "sequences")
    frozen = SimpleNamespace(model=None, size=32)
    monkeypatch.setattr(type(run.task), "frame_encoding", lambda *_: frozen)
    kind = run.task.standalone(run.model, run.state, run.resolved).kind
    reason = "models of sequence_classification with a frozen network of frames are not scored"
    assert quantized.measure(run, None, "int8", kind=kind)["reason"] == reason
    with pytest.raises(ValueError, match="with a frozen network of frames are not scored; leave"):
        quantized.measure(run, None, "int8", [], kind)


@of_tensorflow
@pytest.mark.thorough
def test_without_rows_the_loss_is_not_known(
    run: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run.save(tmp_path / "run")
    words = [str(tmp_path / "run"), str(tmp_path / "new"), "--format=litert", "--quantize=float16"]
    assert main(["export", *words]) == 0
    unknown, written = capsys.readouterr().err.splitlines()[-2:]
    assert "the loss in score is not known (" in unknown
    assert written.startswith("written to")


@of_tensorflow
def test_weights_that_stay_as_they_are_are_not_called_quantized(
    run: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run.save(tmp_path / "run")
    folder = tmp_path / "new"
    words = [str(tmp_path / "run"), str(folder), "--format=litert", "--quantize=int8"]
    assert main(["export", *words]) == 0
    (told,) = (line for line in capsys.readouterr().err.splitlines() if "int8" in line)
    assert told.startswith("warning: quantize='int8' leaves")
    manifest = json.loads((folder / "manifest.json").read_text())["quantization"]
    assert manifest["weights"] == "float32"
    assert manifest["reason"].startswith("quantize='int8' changed nothing: none of its matrices")


@of_tensorflow
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"quantize": "int8"}, "`quantize` is an option of format='litert'"),
        ({"format": "litert", "quantize": "int4"}, "quantize='int4'"),
        ({"format": "litert", "data": ["a"]}, "`data` has the rows on which `quantize` is scored"),
    ],
)
def test_options_that_do_not_go_together(
    run: Any, options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=message):
        run.export(tmp_path / "exported", **options)
    assert not (tmp_path / "exported").exists()
