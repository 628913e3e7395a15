from __future__ import annotations

from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from msgspec import UNSET

from emdiag.core.results import remark
from emdiag.core.sampling import Completion, Prompt
from emdiag.engines.checkpoint.tokenizers import open_tokenizer
from emdiag.engines.checkpoint.vocabularies import SharedVocabulary
from emdiag.measure.logit_estimates import EstimateTable
from emdiag.resources import lab_weights
from emdiag.studies.logits.answer_spans import add_auroc, spans_of
from emdiag.studies.logits.texts import TextSet, Written, drawn_texts

if TYPE_CHECKING:
    from collections.abc import Sequence


@pytest.fixture(scope="module")
def vocabulary() -> SharedVocabulary:
    """The lab's: one token for each character, and an end token that has none."""
    return SharedVocabulary(tokenizer=open_tokenizer(str(lab_weights())), size=98, notes=())


def written(texts: Sequence[tuple[str, int, str]], vocabulary: SharedVocabulary) -> TextSet:
    """Texts of problem, sample and words, each closed by the end token."""
    return TextSet(
        name="own",
        writer="em",
        folder=Path("none"),
        texts=tuple(
            Written(
                problem_id=problem,
                sample_index=sample,
                token_ids=((5,), (*vocabulary.token_ids(text), 0)),
                text=text,
            )
            for problem, sample, text in texts
        ),
        reading=None,
        truncated=0,
        empty=0,
    )


def test_the_answer_begins_with_its_box_and_everything_before_is_reasoning(
    vocabulary: SharedVocabulary,
) -> None:
    texts = written([("a", 0, "2+2=4 \\boxed{4}."), ("b", 0, "so\n#### 18")], vocabulary)
    before, answer = spans_of(texts, vocabulary)
    assert before.tolist() == [True] * 6 + [False] * 11 + [True] * 3 + [False] * 8
    assert answer.tolist() == (~before).tolist()


@pytest.mark.parametrize("text", ["no answer at all", "\\boxed{4}", "so \\boxed{4", "7"])
def test_a_text_without_an_answer_or_anything_before_it_is_in_neither(
    vocabulary: SharedVocabulary, text: str
) -> None:
    before, answer = spans_of(written([("a", 0, text)], vocabulary), vocabulary)
    assert not before.any()
    assert not answer.any()
    assert len(before) == len(answer) == len(text) + 1


class Held(dict[tuple[str, int], Completion]):
    """As much of a run's samples as their texts need."""

    lacks_ids = False


def test_what_follows_the_answer_holds_no_answer(vocabulary: SharedVocabulary) -> None:
    """Behind the last message of channel `final` may stand the turn of a tool, and more."""
    text = "hm 9 is \\boxed{4} 2 \\boxed{7}"
    completion = Completion(
        problem_id="a", sample_index=0, text=text, prompt_tokens=1, finish_reason="stop", seed=0,
        token_ids=(*vocabulary.token_ids(text), 0), reasoning_tokens=3, answer_start=3,
        answer_end=text.index(" 2"),
    )  # fmt: skip
    spec = SimpleNamespace(engine=SimpleNamespace(api=UNSET), wording=SimpleNamespace(prefix=None))
    reading: Any = SimpleNamespace(
        run=SimpleNamespace(
            path=Path("none"), spec=spec, completions=lambda: Held({("a", 0): completion})
        ),
        prompts=[Prompt(problem_id="a", text="", token_ids=(5,), template_sha256="0")],
        samples=1, title="a", checkpoint=SimpleNamespace(label="em"),
    )  # fmt: skip
    before, _ = spans_of(drawn_texts(reading, "own"), vocabulary)
    assert before.sum() == text.index("\\boxed{4}")


class Reading:
    """As much of `Positions` as entropies of texts need."""

    def __init__(self, entropies: Sequence[Sequence[float]]) -> None:
        lengths = [len(one) for one in entropies]
        self.text = np.repeat(np.arange(len(lengths)), lengths)
        self.decile = np.concatenate([1 + (np.arange(length) * 10) // length for length in lengths])
        self.statistics = {"entropy_nats": np.concatenate([np.asarray(one) for one in entropies])}

    def __len__(self) -> int:
        return len(self.text)


def test_auroc_is_the_share_of_pairs_of_one_problem_whose_right_answer_has_less_entropy(
    vocabulary: SharedVocabulary,
) -> None:
    random = np.random.default_rng(0)
    samples = list(product("abc", range(6)))
    texts = written([(problem, sample, "x" * 19) for problem, sample in samples], vocabulary)
    entropies = random.random((len(samples), 20))
    right = {key: bool(random.integers(2)) for key in samples if key[0] != "c"}
    right |= {("c", sample): True for sample in range(6)}  # nothing to compare with
    del right["a", 5]  # undecided
    table = EstimateTable(base="base", problems=("a", "b", "c"), seed=0)
    reading: Any = Reading(entropies.tolist())
    add_auroc(table, "em", texts=[texts], positions=[reading], right=[right])
    rows = {row.part: row for row in table.estimates()}
    assert len(rows) == 11
    for part, columns in ((None, slice(None)), ("decile 1", slice(0, 2))):
        means = dict(zip(samples, entropies[:, columns].mean(axis=1), strict=True))
        found = []
        for problem in "ab":
            good = [means[key] for key, ok in right.items() if ok and key[0] == problem]
            bad = [means[key] for key, ok in right.items() if not ok and key[0] == problem]
            wins = [g < b for g, b in product(good, bad)]
            found.append(sum(wins) / len(wins))
        assert rows[part].value == pytest.approx(np.mean(found))
        assert (rows[part].problems, rows[part].statistic) == (2, "entropy_auroc")


def test_auroc_is_stated_as_not_defined_where_no_problem_has_both(
    vocabulary: SharedVocabulary,
) -> None:
    texts = written([("a", 0, "x"), ("a", 1, "y")], vocabulary)
    table = EstimateTable(base="base", problems=("a",), seed=0)
    reading: Any = Reading([[0.1, 0.2], [0.3, 0.4]])
    add_auroc(
        table, "em", texts=[texts], positions=[reading], right=[{("a", 0): True, ("a", 1): True}]
    )
    for row in table.estimates():
        assert (row.value, row.interval) == (None, None)
        assert row.note == remark("no-mixed-problem")
