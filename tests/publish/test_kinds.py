from __future__ import annotations

from emdiag.core.doctor import DoctorResult
from emdiag.core.records import Result
from emdiag.core.regrades import RegradeResult
from emdiag.demonstration.plan import DemoMeasurements
from emdiag.demonstration.run import DemoResult
from emdiag.publish.kinds import FOLDERS, RECORDS
from emdiag.store.legacy import FORMER

EVERY_RECORD: tuple[type[Result], ...] = (
    *RECORDS, DoctorResult, RegradeResult, DemoMeasurements, DemoResult,
)  # fmt: skip


def test_every_kind_that_is_stored_can_be_reported() -> None:
    defined = [one for one in Result.__subclasses__() if one.__module__.startswith("emdiag.")]
    assert set(defined) == set(EVERY_RECORD)
    assert {record.folder for record in defined if record.folder} == set(FOLDERS)


def test_no_two_kinds_are_stored_by_one_word_or_in_one_folder() -> None:
    assert len({record.kind() for record in EVERY_RECORD}) == len(EVERY_RECORD)
    assert len(set(FOLDERS)) == len(FOLDERS)


def test_a_kind_of_0_1_0_is_known_by_fields_that_it_had() -> None:
    fields = {record.kind(): set(record.__struct_fields__) for record in EVERY_RECORD}
    for kind, former in FORMER.items():
        assert former.fields <= fields[kind] | set(former.dropped)
        assert not fields[kind] & set(former.dropped)
