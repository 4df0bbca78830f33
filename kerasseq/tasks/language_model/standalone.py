"""Score and continue texts with an exported language model.

It needs Python 3.11, NumPy, tokenizers and onnxruntime, and the files beside it.

    python predict.py "a text" "another one"       # one JSON object for each text
    python predict.py --generate "Once upon"       # the text after a prompt

In Python:

    from predict import Predictor
    Predictor().score(["a text"])
    Predictor().generate("Once upon", length=100)
"""

from __future__ import annotations

import argparse
import json
import math
import numbers
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import tokenizers

PADDING, UNKNOWN, START, END = range(4)
NEVER = -1e9  # log-probability of forbidden tokens
STEPS = 128  # tokens that are read at once
ROWS = 64  # texts that are read side by side, at most
LOGITS = 2**25  # numbers, at most, that are in memory at once
PIECE = 64  # random numbers that are drawn at once


class Predictor:
    """A language model with its vocabulary.

    Args:
        folder: The folder with model.onnx and preprocessing.json; by default that of this file.
    """

    def __init__(self, folder: str | Path = Path(__file__).parent) -> None:
        folder = Path(folder)
        text = (folder / "preprocessing.json").read_text(encoding="utf-8")
        self._state: dict[str, Any] = json.loads(text)
        self._reader = Reader(self._state)
        self._session = onnxruntime.InferenceSession(
            folder / "model.onnx", providers=["CPUExecutionProvider"]
        )
        self._names = [each.name for each in self._session.get_inputs()]
        self._names.remove("tokens")
        self._outputs = ["logits", *(f"next_{name}" for name in self._names)]
        self._first = {name: np.array(self._state["first"][name], np.float32)
                       for name in self._names}  # fmt: skip

    def predict(self, texts: Sequence[str]) -> list[dict[str, Any]]:
        """Log-probabilities of texts; the same as `score`."""
        return self.score(texts)

    def score(self, texts: Sequence[str]) -> list[dict[str, Any]]:
        """Log-probabilities of texts, each read without the others.

        Args:
            texts: A list of texts.

        Returns:
            For each text a dict: `text`, number of `tokens`, `log_probability` in nats, the same
            `per_token`, `perplexity` per token, `bits_per_character`, number of `unknown` tokens,
            and `note`, which says why a text has no probability, or is "".

        Raises:
            ValueError: If there is no text.
        """
        if isinstance(texts, str):
            raise TypeError(f"Give a list of texts, even for one. Received: {texts[:60]!r}")
        texts = [encodable(text) if isinstance(text, str) else text for text in texts]
        if not texts:
            raise ValueError("There is no text to score. Give at least one.")
        tokens = [self._reader.whole(text) if _is_text(text) else None for text in texts]
        nats = iter(self._nats([each for each in tokens if each is not None]))
        return [
            _unread(text) if numbers is None else _scores(text, numbers, next(nats))
            for text, numbers in zip(texts, tokens, strict=True)
        ]

    def generate(
        self,
        prompt: str,
        length: int = 200,
        temperature: float = 0.8,
        top_k: int = 0,
        top_p: float = 1.0,
        repetition_penalty: float = 1.0,
        stop: str | None = None,
        seed: int = 0,
    ) -> str:
        """Go on with a text by sampling token by token.

        Args:
            prompt: The text to go on from; an empty one begins a new text, if the model has learned
                beginnings.
            length: Largest number of tokens.
            temperature: Divisor of the logits, 0 for the likeliest token.
            top_k: Number of the likeliest tokens to sample from, 0 for all.
            top_p: Sample from the likeliest tokens of this probability together.
            repetition_penalty: At least 1: log-probabilities of tokens that occurred are multiplied
                by it.
            stop: A text before which to stop.
            seed: Seed of the samples.

        Returns:
            The text after the prompt.

        Raises:
            ValueError: If the prompt has no known token, or an argument is out of range.
        """
        check_number("length", length, 1)
        check_number("temperature", temperature, 0, numbers.Real)
        check_number("top_k", top_k, 0)
        check_number("top_p", top_p, 0, numbers.Real)
        if not 0 < top_p <= 1:
            raise ValueError(f"top_p must be above 0, and at most 1. Received: top_p={top_p!r}")
        check_number("repetition_penalty", repetition_penalty, 1, numbers.Real)
        if stop is not None and not (isinstance(stop, str) and stop):
            raise ValueError(f"stop must be a text that is not empty. Received: stop={stop!r}")
        check_number("seed", seed, 0)
        tokens: list[int] = []
        for token in self._sampled(
            self._reader.begun(prompt),
            length,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            repetition_penalty=repetition_penalty,
            seed=seed,
        ):
            tokens.append(token)
            if stop and stop in (text := self._reader.write(tokens)):
                return text.partition(stop)[0]
        return self._reader.write(tokens)

    def _sampled(
        self,
        prompt: Sequence[int],
        length: int,
        *,
        temperature: float,
        top_k: int,
        top_p: float,
        repetition_penalty: float,
        seed: int,
    ) -> Iterator[int]:
        first = self._state["first_token"]
        read = np.array([first, *prompt][:-1], np.int32)
        state, logits = self._initial(1), None
        for start in range(0, len(read), STEPS):
            _, state = self._run(read[None, start : start + STEPS], state)
        token = prompt[-1] if len(prompt) else first
        generator, noise = np.random.default_rng(seed), np.zeros(0, np.float32)
        forbidden = np.isin(np.arange(self._state["words"]), self._state["forbidden"])
        occurred = np.zeros(len(forbidden), bool)
        for number in range(length):
            logits, state = self._run(np.array([[token]], np.int32), state)
            scores = log_softmax(logits[0, 0])
            scores = np.where(occurred, scores * np.float32(repetition_penalty), scores)
            scores = np.where(forbidden, np.float32(NEVER), scores)
            if temperature:
                if number % PIECE == 0:
                    noise = generator.random(PIECE, dtype=np.float32)
                drawn = noise[number % PIECE]
                token = draw(scores / np.float32(temperature), drawn, top_k, top_p)
            else:
                token = int(scores.argmax())
            occurred[token] = True
            yield token
            if token in self._state["ends"]:
                return

    def _nats(self, texts: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Negative log-probability of each token of each text."""
        order = np.argsort([len(text) for text in texts], kind="stable")
        results: list[np.ndarray] = [np.zeros(0)] * len(texts)
        count = max(1, min(ROWS, LOGITS // (STEPS * self._state["words"])))
        for start in range(0, len(order), count):
            places = order[start : start + count]
            for place, nats in zip(places, self._read([texts[p] for p in places]), strict=True):
                results[place] = nats
        return results

    def _read(self, texts: Sequence[np.ndarray]) -> list[np.ndarray]:
        width = max(map(len, texts))
        tokens, following = (np.zeros((len(texts), width), np.int32) for _ in range(2))
        for row, text in enumerate(texts):
            following[row, : len(text)] = text
            tokens[row, : len(text)] = [self._state["first_token"], *text[:-1]]
        state, nats = self._initial(len(texts)), []
        for start in range(0, width, STEPS):
            part = slice(start, start + STEPS)
            logits, state = self._run(tokens[:, part], state)
            chosen = following[:, part, None].astype(np.int64)
            scores = np.take_along_axis(log_softmax(logits), chosen, axis=-1)
            nats.append(-scores[..., 0].astype(np.float64))
        joined = np.concatenate(nats, axis=1)
        return [row[: len(text)] for row, text in zip(joined, texts, strict=True)]

    def _initial(self, rows: int) -> dict[str, np.ndarray]:
        return {name: np.repeat(state, rows, axis=0) for name, state in self._first.items()}

    def _run(
        self, tokens: np.ndarray, state: dict[str, np.ndarray]
    ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Logits after each token, (rows, timesteps, words), and the state after all."""
        logits, *after = self._session.run(self._outputs, {"tokens": tokens, **state})
        return logits, dict(zip(self._names, after, strict=True))


class Reader:
    """Turns texts into tokens, and tokens into texts.

    Args:
        state: The values of preprocessing.json.
    """

    def __init__(self, state: dict[str, Any]) -> None:
        self._kind, self._ends, self._lines = (
            state[name] for name in ("kind", "has_ends", "lines")
        )
        self._tokenizer = tokenizers.Tokenizer.from_str(json.dumps(state["tokenizer"]))
        vocabulary = self._tokenizer.get_vocab()
        self._by_lookup = state["by_lookup"]
        self._numbers = {token: n for token, n in vocabulary.items() if n > END}

    def whole(self, text: str) -> np.ndarray:
        """The tokens of a whole text, with its end if there are ends."""
        if self._kind == "word":
            lines = [line for line in text.split("\n") if line.strip()]
            return np.array([n for line in lines for n in (*self._tokens(line), END)], np.int32)
        return np.array(self._tokens(text) + [END] * self._ends, np.int32)

    def begun(self, prompt: str) -> list[int]:
        """The tokens of a text that will go on."""
        if not isinstance(prompt, str):
            raise ValueError(f"The prompt must be a text. Received: {prompt!r}")
        if self._kind == "word":
            tokens = self.whole(prompt).tolist()
            tokens = tokens if prompt.endswith("\n") else tokens[:-1]
        else:
            tokens = self._tokens(prompt)
        if not tokens and not self._ends:
            raise ValueError(
                "The prompt must have at least one token: this model was trained on a text without "
                f"beginnings to go on from. Received: {prompt!r}"
            )
        if tokens and {*tokens} == {UNKNOWN}:
            raise ValueError(
                f"The prompt must have a {self._kind} that the model knows. "
                f"Received: {prompt[:60]!r}"
            )
        return tokens

    def write(self, tokens: Sequence[int]) -> str:
        """The text of tokens; an end token between words is a line break."""
        if self._kind != "word" or self._lines:
            return self._decoded(tokens[: tokens.index(END)] if END in tokens else tokens)
        lines: list[list[int]] = [[]]
        for token in tokens:
            lines.append([]) if token == END else lines[-1].append(token)
        return "\n".join(map(self._decoded, lines))

    def _decoded(self, tokens: Sequence[int]) -> str:
        known = [token for token in tokens if token > END]
        return str(self._tokenizer.decode(known, skip_special_tokens=False))

    def _tokens(self, text: str) -> list[int]:
        text = encodable(text)
        if not self._by_lookup:
            return list(self._tokenizer.encode(text, add_special_tokens=False).ids)
        if self._tokenizer.normalizer is not None:
            text = self._tokenizer.normalizer.normalize_str(text)
        pieces = text.split() if self._kind == "word" else text
        return [self._numbers.get(piece, UNKNOWN) for piece in pieces]


def check_number(name: str, value: Any, least: int, kind: Any = numbers.Integral) -> None:
    """Raise a ValueError if an argument is no finite number of a kind, or below its least."""
    if isinstance(value, bool) or not isinstance(value, kind) or not least <= value < math.inf:
        what = "whole" if kind is numbers.Integral else "finite"
        raise ValueError(
            f"{name} must be a {what} number of at least {least}. Received: {name}={value!r}"
        )


def encodable(text: str) -> str:
    """The text with question marks for lone surrogates, which UTF-8 has not."""
    return text.encode(errors="replace").decode()


def draw(logits: np.ndarray, noise: float, top_k: int, top_p: float) -> int:
    """Sample a token by inverse transform, after the cuts by top-k and top-p."""
    shares = np.exp(logits - logits.max())
    shares /= shares.sum()
    order = np.arange(len(shares))
    if top_k or top_p < 1:
        order = np.argsort(-shares, kind="stable")[: top_k or len(shares)]
        shares = shares[order]
        before = np.cumsum(shares) - shares
        shares = np.where(before < np.float32(top_p) * shares.sum(), shares, np.float32(0))
    cumulative = np.cumsum(shares)
    # Below the total in spite of rounding, so that no token with probability 0 is chosen.
    threshold = min(noise * cumulative[-1], cumulative[-1] * np.float32(1 - 1e-6))
    return int(order[np.sum(cumulative <= threshold)])


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Log-probabilities over the last axis."""
    logits = logits - logits.max(axis=-1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))


def _is_text(text: Any) -> bool:
    return isinstance(text, str) and bool(text.strip())


def _unread(text: Any) -> dict[str, Any]:
    """The row of a text that has no probability."""
    names = ("log_probability", "per_token", "perplexity", "bits_per_character")
    missing = text is None or isinstance(text, str) or text != text  # NaN
    note = "no text" if missing else "not a text"
    return {"text": text, "tokens": 0, **dict.fromkeys(names), "unknown": 0, "note": note}


def _scores(text: str, tokens: np.ndarray, nats: np.ndarray) -> dict[str, Any]:
    total, count = float(nats.sum()), len(tokens)
    return {
        "text": text,
        "tokens": count,
        "log_probability": -total,
        "per_token": -total / count,
        "perplexity": math.exp(min(total / count, 700.0)),
        "bits_per_character": total / math.log(2) / len(text),
        "unknown": int(np.sum(tokens == UNKNOWN)),
        "note": "",
    }


def input_lines() -> list[str]:
    """The lines of the standard input, without their ends."""
    with open(0, encoding="utf-8-sig") as lines:
        return [line.rstrip("\n") for line in lines]


def main() -> None:
    """Print one JSON object for each text, or the text after a prompt."""
    parser = argparse.ArgumentParser(description="Score texts, or go on with one.")
    parser.add_argument("texts", nargs="*", help="texts to score; default: the lines of the input")
    parser.add_argument("--generate", metavar="PROMPT", help="go on with this text instead")
    parser.add_argument("--length", type=int, default=200, help="largest number of tokens")
    parser.add_argument("--temperature", type=float, default=0.8, help="0 for the likeliest tokens")
    parser.add_argument("--seed", type=int, default=0, help="of the samples")
    arguments = parser.parse_args()
    try:
        lines = _output_lines(arguments)
    except (ValueError, OSError) as error:
        parser.exit(2, f"{error}\n")
    for line in lines:
        print(line)


def _output_lines(arguments: argparse.Namespace) -> list[str]:
    """The lines to print."""
    if arguments.generate is not None:
        options = {"temperature": arguments.temperature, "seed": arguments.seed}
        return [Predictor().generate(arguments.generate, arguments.length, **options)]
    rows = Predictor().score(arguments.texts or input_lines())
    return [json.dumps(row, ensure_ascii=False) for row in rows]


if __name__ == "__main__":
    main()
