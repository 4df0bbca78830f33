"""A run that is served answers as it does in Python, and says what is wrong with a request."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import kerasseq
from tests.serving import browser

pytest.importorskip("fastapi")
FOLDER = Path(__file__).parents[1] / "golden" / "runs" / "sentiment-subwords"
TEXTS = ["a good film", "a bad film", ""]


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "kerasseq", "serve", *arguments]


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[subprocess.Popen[str], str]]:
    command = _command(str(FOLDER), "--port", "0")
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if address := re.search(r"http://[\d.:]+", line):
            break
    else:
        pytest.fail("the server ended before it listened")
    yield process, address.group()
    process.kill()
    process.wait()


def _post(address: str, body: Any, verb: str = "predict") -> tuple[int, Any]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(
        f"{address}/{verb}", data, headers={"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


@pytest.mark.skipif(browser.PROGRAM is None, reason="there is no Chromium (apt install chromium)")
def test_the_page_sends_what_is_typed_and_shows_the_answer(
    server: tuple[subprocess.Popen[str], str], tmp_path: Path
) -> None:
    with browser.Browser(server[1], tmp_path) as page:
        rows = page.run(f"({SEND})({json.dumps(TEXTS[:2])}.join('\\n'))")
        refused = page.run(f"({SEND})('[5]')")
        if folder := os.environ.get("KERASSEQ_PICTURES"):  # to look at
            page.picture(Path(folder) / "page.png")
    expected = kerasseq.load(FOLDER).predict(TEXTS[:2])
    column = rows[0].index("label")
    assert [row[column] for row in rows[1:]] == expected["label"].tolist()
    assert "5" in refused[0][0]


#: Types into the field of texts, sends the form, and gives the cells of the answer.
SEND = """async (text) => {
    const until = async (found) => {
        while (!found()) await new Promise((done) => setTimeout(done, 50));
        return found();
    };
    const form = await until(() => document.querySelector("#predict form"));
    const output = document.querySelector("#predict output");
    output.textContent = "";
    form.querySelector("textarea").value = text;
    form.requestSubmit();
    await until(() => output.querySelector("table, .error"));
    const lines = [...output.querySelectorAll("tr, .error")];
    return lines.map((line) =>
        line.cells ? [...line.cells].map((cell) => cell.textContent) : [line.textContent]);
}"""


def test_requests_at_a_time_are_answered_as_in_python_and_none_is_lost_at_the_end(
    server: tuple[subprocess.Popen[str], str],
) -> None:
    process, address = server
    expected = kerasseq.load(FOLDER).predict(TEXTS)
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda text: _post(address, {"data": [text]}), TEXTS * 20))
    assert {status for status, _ in answers} == {200}
    together = _post(address, {"data": TEXTS})[1]
    assert json.dumps(together).count('"note"') == len(TEXTS)
    for place, (_, answer) in enumerate(answers):
        (row,) = answer["rows"] if isinstance(answer, dict) else answer
        wanted = expected.iloc[place % len(TEXTS)]
        assert row["label"] == wanted["label"]
        for name, value in row.items():
            if isinstance(value, float):
                assert value == pytest.approx(wanted[name], abs=1e-5)

    for body, status, words in [
        (b'{"data":', 422, "no JSON"),
        (b'{"data": [NaN]}', 422, "no JSON (it has NaN)"),
        (b'{"data": ["a", -Infinity]}', 422, "no JSON (it has -Infinity)"),
        ({"data": ["a", 5]}, 422, "every text must be a string. Received: text 1 is 5"),
        ({}, 422, "data is missing"),
        ({"data": []}, 422, "data is empty: send at least one row"),
        ({"data": TEXTS, "datum": 1}, 422, "datum"),
        ({"date": TEXTS}, 422, "no argument 'date'"),
        ({"data": ["x"] * 10_001}, 413, "10,000"),
        ({"data": ["x", "x" * 20_001]}, 413, "20,000 characters"),
    ]:
        code, answer = _post(address, body)
        assert (code, words in answer["error"]) == (status, True), answer
    status, answer = _post(address, {"data": ["NaN, Infinity", "", None]})
    assert (status, [row["note"][:7] for row in answer["rows"][1:]]) == (200, ["no text"] * 2)
    for page in ("", "/docs", "/openapi.json", "/health"):
        with urllib.request.urlopen(address + page, timeout=60) as answer:
            assert answer.status == 200

    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 0


def test_what_would_keep_other_requests_waiting_is_refused() -> None:
    from kerasseq.serving.limits import Limits
    from kerasseq.serving.requests import Refused, Requests

    limits = Limits(characters=20, length=7)
    run = kerasseq.load(FOLDER.with_name("language-model"))

    def read(verb: str, **body: Any) -> Any:
        return Requests(run, verb, limits).read(json.dumps(body).encode()).values

    for verb, body, status, words in [
        ("generate", {"prompt": "x" * 21}, 413, "prompt may have texts of 20 characters"),
        ("generate", {"prompt": "x", "stop": "x" * 21}, 413, "stop may have texts of 20"),
        ("generate", {"prompt": "x", "length": 8}, 422, "length may be at most 7"),
        ("complete", {"prompt": "x", "length": 8}, 422, "length may be at most 7"),
        ("score", {"data": ["x", "x" * 21]}, 413, "Received: 21"),
        ("evaluate", {"data": [{"text": "x" * 21}]}, 413, "Received: 21"),
    ]:
        with pytest.raises(Refused, match=words) as refusal:
            read(verb, **body)
        assert refusal.value.status == status
    most = {"prompt": "x" * 20, "length": 7}
    assert read("generate", **most) == most
    assert read("score", data=["x" * 20] * 3) == {"data": ["x" * 20] * 3}


def _refusal(*arguments: str) -> str:
    result = subprocess.run(_command(*arguments), capture_output=True, text=True, timeout=120)
    assert result.returncode == 2
    (line,) = (each for each in result.stderr.splitlines() if each.startswith("kerasseq"))
    return line


@pytest.mark.thorough
def test_a_port_in_use_and_a_folder_without_a_run_are_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert str(port) in _refusal(str(FOLDER), "--port", str(port))
    assert "no run" in _refusal(str(tmp_path))
