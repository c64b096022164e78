"""Classifier: labels for many texts from a few labelled ones."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Sequence

import numpy as np

from . import _library as c
from ._calls import as_list
from ._rows import Inputs, Rows, analyze, at_least, choice, sized
from .errors import BadClassifierError

if TYPE_CHECKING:
    from ._embedder import Embedder

__all__ = ["Classifier", "Validation"]

#: In the order of q3.h.
_KINDS = ("logistic", "neighbors", "descriptions")


@dataclass(frozen=True)
class Validation:
    """What cross-validation found: each row was judged by a classifier that had not seen it."""

    #: Parts that the rows were divided into.
    folds: int
    accuracy: float
    #: The mean over labels of the harmonic mean of precision and recall.
    macro_f1: float
    #: The mean of -log of the true label's probability, without and with the temperature that the classifier keeps.
    log_loss: float
    calibrated_log_loss: float
    #: How far probabilities are from the part of rows that are right, in the mean over ten bins.
    calibration_error: float
    calibrated_calibration_error: float


class Classifier:
    """A small head over the vectors of one model, as ``q3 classify`` makes and reads it.

    Made by `train` and `load`.

    Examples
    --------
    >>> model = q3.Embedder()
    >>> head = q3.Classifier.train(texts, labels, model=model)
    >>> head.validation.accuracy
    0.91...
    >>> head.save("tickets.head.json")
    >>> q3.Classifier.load("tickets.head.json", model=model).predict(["My card has not arrived."])
    ['card_arrival']
    """

    def __init__(
        self, kind: str, labels: Sequence[str], rows: np.ndarray, row_labels: np.ndarray, *, temperature: float,
        dimensions: int, model_name: str | None, fingerprint: str | None, instruct: str | None,
        model: Embedder | None = None, validation: Validation | None = None,
    ) -> None:
        #: "logistic", "neighbors" or "descriptions".
        self.kind = kind
        #: The labels, in the order of their bytes: the columns of `predict_proba`.
        self.labels = list(labels)
        #: Logits are divided by it, so that probabilities are right about as often as they say.
        self.temperature = temperature
        #: Values of a vector.
        self.dimensions = dimensions
        #: The model's name or path, and the fingerprint of its vectors; None where vectors were given, which do not tell.
        self.model_name, self.fingerprint = model_name, fingerprint
        #: The instruction that texts are embedded with, or None.
        self.instruct = instruct
        #: What cross-validation found; None where a label has one row only, without folds, and after `load`.
        self.validation = validation
        self._rows, self._row_labels = rows, row_labels
        self._model = model

    @classmethod
    def train(
        cls, inputs: Inputs, labels: Sequence[str], *, kind: Literal["logistic", "neighbors", "descriptions"] = "logistic",
        strength: float = 1.0, folds: int = 5, seed: int = 0, model: Embedder | None = None, instruct: str | None = None,
        threads: int | None = None, show_progress_bar: bool = False,
    ) -> Classifier:
        """Learns labels from a few examples.

        Parameters
        ----------
        inputs : list of str, or array of shape [rows, dimensions]
            Texts, or vectors of one model.
        labels : list of str
            The label of each row; two different ones at least.
        kind : {"logistic", "neighbors", "descriptions"}, optional
            Logistic regression with the optimum of scikit-learn's; the labels of the five nearest rows; or the nearest row,
            where each row says what its label means.
        strength : float, optional
            How strongly the regression follows the examples: scikit-learn's C.
        folds : int, optional
            Parts of the cross-validation, which also finds the temperature; 0 for none.
        seed : int, optional
            What random draws begin with.
        model, instruct, threads, show_progress_bar
            As for `duplicates`. With vectors, `model` says which model made them.

        Raises
        ------
        ValueError
            For one label only, and for vectors of zeros or with a NaN, with their row.
        """
        number = choice(kind, _KINDS, "kind")
        names = as_list(labels, "labels")
        for index, name in enumerate(names):
            if not isinstance(name, str):
                raise TypeError(f"labels[{index}] is of type {type(name).__name__}, expected a str")
        rows = Rows(inputs, "inputs", model=model, instruct=instruct, show_progress_bar=show_progress_bar)
        if len(names) != len(rows):
            raise ValueError(f"{len(names)} labels for {len(rows)} rows, expected as many")
        different = sorted(set(names), key=lambda name: name.encode())
        if len(different) < 2:
            raise ValueError("all rows have the same label; two different ones are needed at least")
        if kind == "descriptions" and len(different) != len(names):
            raise ValueError(f"{len(names)} descriptions for {len(different)} labels; give one for each")
        numbers = {name: index for index, name in enumerate(different)}
        row_labels = np.array([numbers[name] for name in names], np.int32)
        options = sized(
            c.TrainOptions, kind=number, folds=at_least(folds, 0, "folds"), strength=strength,
            seed=at_least(seed, 0, "seed"), threads=threads or 0,
        )
        dimensions = rows.values.shape[1]
        weights = np.empty((len(different), dimensions + 1), np.float32)
        training = sized(c.Training)
        analyze(
            "q3_train_classifier", rows.struct, row_labels.ctypes.data, len(different), options, weights.ctypes.data,
            training, description="Training", show_progress_bar=show_progress_bar,
        )
        names_of_fields = [name for name, _ in c.Training._fields_ if name not in ("size", "temperature")]
        validation = Validation(**{name: getattr(training, name) for name in names_of_fields}) if training.folds else None
        if kind != "logistic":
            weights = _unit(rows.values)
        else:
            row_labels = np.arange(len(different), dtype=np.int32)
        fingerprint = rows.fingerprint or (model.fingerprint if model is not None else None)
        name = None if fingerprint is None else "q3-mini" if model is None or model.path is None else os.path.abspath(model.path)
        return cls(
            kind, different, np.ascontiguousarray(weights, np.float32), row_labels, temperature=training.temperature,
            dimensions=dimensions, model_name=name, fingerprint=fingerprint, instruct=instruct, model=model,
            validation=validation,
        )

    def predict_proba(
        self, inputs: Inputs, *, threads: int | None = None, show_progress_bar: bool = False
    ) -> np.ndarray:
        """The probability of each label for each row: float64 of shape [rows, labels].

        Texts are embedded with the classifier's model, which is opened if it has to be.
        """
        if self._model is None and self.model_name is not None and not isinstance(inputs, np.ndarray):
            self._model = self._opened()
        rows = Rows(
            inputs, "inputs", model=self._model, instruct=self.instruct, dimensions=self.dimensions,
            show_progress_bar=show_progress_bar,
        )
        if rows.fingerprint is not None:
            self._check(rows.fingerprint)
        head = sized(
            c.Classifier, kind=_KINDS.index(self.kind), label_count=len(self.labels),
            rows=c.Vectors(self._rows.ctypes.data, *self._rows.shape), row_labels=self._row_labels.ctypes.data,
            temperature=self.temperature, threads=threads or 0,
        )
        probabilities = np.empty((len(rows), len(self.labels)), np.float64)
        analyze(
            "q3_classify", head, rows.struct, probabilities.ctypes.data, description="Classifying",
            show_progress_bar=show_progress_bar,
        )
        return probabilities

    def predict(
        self, inputs: Inputs, *, unsure: float | None = None, threads: int | None = None, show_progress_bar: bool = False
    ) -> list[str | None]:
        """The likeliest label of each row.

        Parameters
        ----------
        unsure : float, optional
            Rows whose likeliest label is less probable get None instead of it.
        """
        probabilities = self.predict_proba(inputs, threads=threads, show_progress_bar=show_progress_bar)
        if not len(probabilities):
            return []
        best = probabilities.argmax(1)
        sure = probabilities[np.arange(len(best)), best] >= (unsure if unsure is not None else 0)
        return [self.labels[index] if known else None for index, known in zip(best, sure)]

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the file that ``q3 classify predict`` and ``q3 serve --classifier`` read. An older file is replaced whole."""
        # Nine digits are enough to read the same float32.
        rows = [[float(f"{value:.9g}") for value in row] for row in self._rows.tolist()]
        file = {
            "format": "q3-classifier", "version": 1, "kind": self.kind, "model": self.model_name,
            "fingerprint": self.fingerprint, "dimensions": self.dimensions, "instruct": self.instruct,
            "labels": self.labels, "temperature": self.temperature, "rows": rows, "rowLabels": self._row_labels.tolist(),
        }  # fmt: skip
        text = json.dumps({name: value for name, value in file.items() if value is not None}, ensure_ascii=False)
        folder = os.path.dirname(os.path.abspath(os.fspath(path)))
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=folder, delete=False) as part:
            try:
                part.write(text + "\n")
                part.close()
                os.chmod(part.name, 0o666 & ~_umask())
                os.replace(part.name, path)
            except BaseException:
                os.unlink(part.name)
                raise

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, model: Embedder | None = None) -> Classifier:
        """Reads a file of `save` or of ``q3 classify train``.

        Parameters
        ----------
        model : Embedder, optional
            What embeds texts; without it the model that the file names, opened with the first texts.

        Raises
        ------
        BadClassifierError
            For a file that is not a classifier, has a newer version, or is damaged; and for another model than the one that it was
            made for.
        """
        try:
            with open(path, encoding="utf-8") as file:
                found = json.load(file)
        except ValueError as error:
            raise BadClassifierError(f"{path} is not a classifier: {error}") from error
        if not isinstance(found, dict) or found.get("format") != "q3-classifier":
            raise BadClassifierError(f"{path} is not a classifier; make one with Classifier.train or 'q3 classify train'")
        if found.get("version") != 1:
            raise BadClassifierError(f"{path} is of a newer q3 (version {found.get('version')}); update q3-embedding")
        try:
            head = cls(
                found["kind"], found["labels"], np.ascontiguousarray(found["rows"], np.float32),
                np.ascontiguousarray(found["rowLabels"], np.int32), temperature=float(found["temperature"]),
                dimensions=found["dimensions"], model_name=found.get("model"), fingerprint=found.get("fingerprint"),
                instruct=found.get("instruct"), model=model,
            )
            is_sound = head._is_sound()
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise BadClassifierError(f"{path} is damaged: {error!r}; train it again") from error
        if not is_sound:
            raise BadClassifierError(f"{path} is damaged: its numbers do not fit together; train it again")
        if model is not None:
            head._check(model.fingerprint)
        return head

    def _is_sound(self) -> bool:
        width = self.dimensions + (self.kind == "logistic")
        count = len(self.labels)
        return bool(
            self.kind in _KINDS and count > 1 and all(isinstance(label, str) for label in self.labels)
            and self._rows.ndim == 2 and self._rows.shape[1] == width and len(self._rows) == len(self._row_labels) > 0
            and np.isfinite(self._rows).all() and 0 < self.temperature < float("inf")
            and ((self._row_labels >= 0) & (self._row_labels < count)).all()
            and (self.kind != "logistic" or self._row_labels.tolist() == list(range(count)))
        )  # fmt: skip

    def _opened(self) -> Any:
        from ._embedder import Embedder

        model = Embedder(self.model_name)
        self._check(model.fingerprint)
        return model

    def _check(self, fingerprint: str) -> None:
        if self.fingerprint is not None and fingerprint != self.fingerprint:
            raise BadClassifierError(
                f"the classifier was made for {self.model_name} ({self.fingerprint}), not for the model {fingerprint}; give that "
                "model, or train again"
            )

    def __repr__(self) -> str:
        return f"<q3.Classifier {self.kind}, {len(self.labels)} labels, {self.model_name or 'a model that is not known'}>"


def _unit(values: np.ndarray) -> np.ndarray:
    """Rows in unit length; what has it up to rounding keeps its bits, as in the library."""
    wide = values.astype(np.float64)
    squares = np.einsum("ij,ij->i", wide, wide)[:, None]
    return np.where(np.abs(squares - 1) < 2e-6, values, (wide * (1 / np.sqrt(squares))).astype(np.float32))


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
