from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from emdiag.core.errors import JournalError, RunLockedError, RunMismatchError
from emdiag.core.moments import (
    COOLING_TEMPERATURES,
    KL_BUCKETS,
    RANK_BUCKETS,
    Histogram,
    LogitTrace,
    PairTrace,
    ReadingSpec,
)
from emdiag.store.traces import TraceFolder

if TYPE_CHECKING:
    from pathlib import Path

SPEC = ReadingSpec(checkpoint_digest="a" * 64, dtype="float32", vocab_size=98)
BASE = ReadingSpec(checkpoint_digest="b" * 64, dtype="float32", vocab_size=98)
_COUNTS = Histogram(low=-50, width=0.25, counts=(98,))


def trace(problem: str = "p/0000", sample: int = 0, **changes: object) -> LogitTrace:
    ones: dict[str, object] = dict.fromkeys(LogitTrace.__struct_fields__, (1,))
    ones |= dict.fromkeys(
        ("mean", "m2", "m3", "m4", "log_sum_exp", "entropy_nats", "top1_prob", "top_mean"), (0.1,)
    )
    fields = {
        **ones,
        "problem_id": problem,
        "sample_index": sample,
        "vocab_size": 98,
        "entropies_nats": ((0.3,),),
        "histogram": _COUNTS,
        "centred_histogram": _COUNTS,
        **changes,
    }
    return msgspec.convert(
        {name: msgspec.to_builtins(value) for name, value in fields.items()}, LogitTrace
    )


def pair(problem: str = "p/0000", kl: float = 0.5) -> PairTrace:
    return PairTrace(
        problem_id=problem,
        sample_index=0,
        kl_nats=(kl,),
        reverse_kl_nats=(0.1,),
        js_nats=(0.1,),
        kendall_tau=(None,),
        overlap_frac=(1.0,),
        cooling_temperature=(None,),
        cooled_kl_nats=(0.1,),
        reranking_kl_nats=(0.0,),
        cooling_curve_nats=(0.1,) * len(COOLING_TEMPERATURES),
        shift_by_rank=(None,) * len(RANK_BUCKETS),
        kl_by_rank_nats=(None,) * len(KL_BUCKETS),
    )


def write(folder: TraceFolder, *traces: LogitTrace) -> None:
    with folder.writing(), folder.trace_writer() as writer:
        for one in traces:
            writer.append(one)


def test_a_folder_without_traces_is_empty_and_looking_makes_nothing(tmp_path: Path) -> None:
    folder = TraceFolder(tmp_path / "run", SPEC)
    assert folder.traces() == {}
    assert folder.pairs(BASE) == {}
    assert folder.samples() == folder.paired_samples(BASE) == set()
    assert folder.provenance() == []
    assert not (tmp_path / "run").exists()


def test_traces_come_back_exactly_and_the_last_of_a_text_counts(tmp_path: Path) -> None:
    folder = TraceFolder(tmp_path, SPEC)
    third = 1 / 3
    one, other = trace(mean=(third,)), trace("p/0001", 2)
    write(folder, one, other)
    assert TraceFolder(tmp_path, SPEC).traces() == {("p/0000", 0): one, ("p/0001", 2): other}
    assert folder.samples() == {("p/0000", 0), ("p/0001", 2)}
    again = trace(mean=(0.25,))
    write(folder, again)
    assert folder.traces() == {("p/0000", 0): again, ("p/0001", 2): other}


@pytest.mark.parametrize(
    "changes",
    [
        {"checkpoint_digest": "c" * 64},
        {"dtype": "bfloat16"},
        {"vocab_size": 97},
        {"entropy_temperatures": (0.5,)},
        {"revision": 3},
        {"trust_remote_code": True},
    ],
)
def test_another_way_of_reading_has_a_folder_of_its_own(
    tmp_path: Path, changes: dict[str, object]
) -> None:
    folder = TraceFolder(tmp_path, SPEC)
    write(folder, trace())
    other = TraceFolder(tmp_path, msgspec.structs.replace(SPEC, **changes))
    assert other.path != folder.path
    assert other.traces() == {}


def test_pairs_with_one_base_are_not_those_with_another(tmp_path: Path) -> None:
    folder = TraceFolder(tmp_path, SPEC)
    with folder.writing(), folder.pair_writer(BASE) as writer:
        writer.append(pair())
    assert folder.pairs(BASE) == {("p/0000", 0): pair()}
    assert folder.paired_samples(BASE) == {("p/0000", 0)}
    assert folder.samples() == set()
    assert folder.pairs(msgspec.structs.replace(BASE, dtype="bfloat16")) == {}
    assert folder.traces() == {}


def test_a_trace_torn_by_an_interruption_is_read_again_and_a_damaged_one_is_an_error(
    tmp_path: Path,
) -> None:
    folder = TraceFolder(tmp_path, SPEC)
    write(folder, trace(), trace("p/0001"))
    file = folder.path / "traces.jsonl"
    whole = file.read_bytes()
    file.write_bytes(whole[:-20])
    assert list(folder.traces()) == [("p/0000", 0)]
    write(folder, trace("p/0001"))
    assert file.read_bytes() == whole
    file.write_bytes(b"{}\n" + whole)
    with pytest.raises(JournalError, match="line 1"):
        folder.traces()


def test_one_process_at_a_time_reads_the_same_texts_with_the_same_checkpoint(
    tmp_path: Path,
) -> None:
    folder, other = TraceFolder(tmp_path, SPEC), TraceFolder(tmp_path, BASE)
    with folder.writing(), other.writing(), pytest.raises(RunLockedError, match="these traces"):
        TraceFolder(tmp_path, SPEC).writing().__enter__()


def test_a_folder_that_says_something_else_than_its_name_is_not_written_to(tmp_path: Path) -> None:
    folder = TraceFolder(tmp_path, SPEC)
    write(folder, trace())
    file = folder.path / "reading.json"
    file.write_text(file.read_text().replace("float32", "bfloat16"))
    with pytest.raises(RunMismatchError) as caught:
        write(folder, trace("p/0001"))
    assert caught.value.hint
    assert list(folder.traces()) == [("p/0000", 0)]
