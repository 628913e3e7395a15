"""A cell while its weights change: measured on prompts it does not see, written down, saved."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec
import torch
from transformers import PreTrainedModel

from emdiag.core.digest import derive_seed, prompts_digest
from emdiag.core.sampling import Completion, SampleRequest, SamplingParams
from emdiag.core.training import TrainManifest, UpdateRecord, next_stage
from emdiag.engines.checkpoint.tokenizers import open_tokenizer
from emdiag.engines.hf.load_check import LoadCheck
from emdiag.engines.hf.logit_reader import ModelReader, read_entropies
from emdiag.engines.hf.rotary import require_short
from emdiag.engines.hf.sampler import TransformersSampler
from emdiag.engines.options import EngineOptions
from emdiag.grading.parse.extract import extract
from emdiag.measure.answers import REPEATED_ABOVE, repeated_share
from emdiag.measure.votes import votes_of
from emdiag.store.journal import JournalWriter, read_journal
from emdiag.store.provenance import now, start_session
from emdiag.store.training_folder import UPDATES_FILE, checkpoint_name
from emdiag.train.checkpoints import save_checkpoint
from emdiag.train.jobs import TrainJob

_WRITTEN, _GREEDY = 0, 1
_SEED = 0


class OpenCell:
    """A cell with its weights, the starting checkpoint's held-out texts, and its greedy answers.

    Entropies are read along the starting checkpoint's texts, drawn once at temperature 1: the
    same tokens at every update and for every training seed, so that a difference is a difference of
    distributions. They are kept in `held_out.jsonl`, so that a continued run measures on them too.
    """

    def __init__(
        self,
        job: TrainJob,
        model: PreTrainedModel,
        *,
        options: EngineOptions,
        check: LoadCheck | None = None,
    ) -> None:
        self.job, self.model = job, model
        require_short(
            model.config, [*job.prompts, *job.held_out], max_tokens=job.sampling.max_tokens
        )
        self._trusts_code = options.trust_remote_code
        self.tokenizer = open_tokenizer(job.checkpoint.path, trust_remote_code=self._trusts_code)
        self.sampler = TransformersSampler(model, self.tokenizer, options=options, check=check)
        self._texts: list[tuple[tuple[int, ...], tuple[int, ...]]] = []
        self._answers: list[str | None] = []
        self._started = now()

    def start(self) -> None:
        """Draw texts and answers with the weights training starts from, or read those drawn."""
        journal = self.job.folder / "held_out.jsonl"
        known = {(c.problem_id, c.sample_index): c for c in read_journal(journal, Completion)}
        ids = [prompt.problem_id for prompt in self.job.held_out]
        if not all((name, which) in known for name in ids for which in (_WRITTEN, _GREEDY)):
            journal.unlink(missing_ok=True)
            drawn = [*self._draw(_WRITTEN), *self._draw(_GREEDY)]
            writer: JournalWriter[Completion] = JournalWriter(journal)
            with writer:
                for completion in drawn:
                    writer.append(completion)
            known = {(c.problem_id, c.sample_index): c for c in drawn}
        self._texts = [
            (prompt.token_ids, known[prompt.problem_id, _WRITTEN].token_ids)
            for prompt in self.job.held_out
        ]
        self._answers = [
            extract(self.job.opening + known[name, _GREEDY].text).answer for name in ids
        ]

    def write_down(
        self, record: UpdateRecord, *, entropy: bool = True, flips: bool = True
    ) -> UpdateRecord:
        """Journal an update, with the held-out figures wanted of the weights as they are now."""
        began = time.perf_counter()
        was_training = self.model.training
        self.model.train(mode=False)
        record = msgspec.structs.replace(
            record,
            held_out_entropy_nats=self._entropy() if entropy else None,
            answer_flips_frac=self._flips() if flips else None,
            measuring_s=time.perf_counter() - began,
            peak_memory_bytes=peak_memory_bytes(self.model.device),
        )
        self.model.train(mode=was_training)
        writer: JournalWriter[UpdateRecord] = JournalWriter(self.job.folder / UPDATES_FILE)
        with writer:
            writer.append(record)
        return record

    def save(
        self,
        update: int,
        *,
        settings: Mapping[str, object] | None = None,
        notes: Iterable[str] = (),
        provenance: Mapping[str, str] | None = None,
    ) -> None:
        """Keep the checkpoint of an update with what it says of itself.

        `settings` take the place of fields of the recipe; notes and provenance are added.

        Raises:
            CheckpointError: It cannot be written.
        """
        job = self.job
        session = start_session(job.checkpoint, self.sampler.info, command=job.command)
        manifest = TrainManifest(
            stage=next_stage(job.checkpoint.stage, job.method),
            recipe=job.recipe.name,
            train_seed=job.seed,
            update=update,
            method=job.method,
            parent=job.checkpoint.ref,
            parent_digest=job.checkpoint.digest,
            parent_stage=job.checkpoint.stage or "base",
            settings=msgspec.structs.asdict(job.recipe) | dict(settings or {}),
            prompts_sha256=prompts_digest(job.prompts),
            problem_ids=tuple(prompt.problem_id for prompt in job.prompts[:100]),
            notes=(*job.notes, *notes),
            provenance={
                **session.versions,
                **session.settings,
                "emdiag": session.emdiag_version,
                "commit": session.emdiag_commit or "",
                "device": session.device,
                "dtype": job.dtype,
                **(provenance or {}),
                "command": " ".join(session.command),
                "started": self._started,
                "finished": session.started,
            },
        )
        save_checkpoint(
            job.folder / checkpoint_name(update),
            self.model,
            parent=Path(job.checkpoint.path),
            manifest=manifest,
            trust_remote_code=self._trusts_code,
        )

    def _entropy(self) -> float | None:
        """Mean over all tokens of all texts, at temperature 1, in nats; None without prompts."""
        reader = ModelReader(self.model, threads=torch.get_num_threads(), check=self.sampler.check)
        values = [value for text in read_entropies(reader, self._texts) for value in text]
        return sum(values) / len(values) if values else None

    def _flips(self) -> float | None:
        """Share of prompts whose greedy answer is not the starting checkpoint's; None without any.

        Answers are compared as texts: the figure is a signal of change, not a grade.
        """
        prompts = self.job.held_out
        if not prompts:
            return None
        opening = self.job.opening
        answers = {c.problem_id: extract(opening + c.text).answer for c in self._draw(_GREEDY)}
        pairs = zip(prompts, self._answers, strict=True)
        return sum(answers[p.problem_id] != before for p, before in pairs) / len(prompts)

    def _draw(self, which: int) -> list[Completion]:
        requests = [
            SampleRequest(
                problem_id=prompt.problem_id,
                sample_index=which,
                token_ids=prompt.token_ids,
                seed=derive_seed(_SEED, "held-out", prompt.problem_id, which),
            )
            for prompt in self.job.held_out
        ]
        params = SamplingParams(
            temperature=0.0 if which == _GREEDY else 1.0,
            max_tokens=self.job.sampling.max_tokens,
            seed=_SEED,
            stop=self.job.sampling.stop,
            stop_token_ids=self.job.sampling.stop_token_ids,
        )
        return list(self.sampler.sample(requests, params=params))


def described(
    record: UpdateRecord, completions: Sequence[Completion], *, opening: str = ""
) -> UpdateRecord:
    """The record with what the samples of the update decide; at least one, behind `opening`.

    Answers are compared as texts, prompt by prompt. The majority is of answers that were given:
    where most samples give none its share is small.
    """
    extractions = [extract(opening + completion.text) for completion in completions]
    answers: dict[str, list[str | None]] = {}
    for completion, extraction in zip(completions, extractions, strict=True):
        answers.setdefault(completion.problem_id, []).append(extraction.answer)
    votes = [votes_of(of_prompt) for of_prompt in answers.values()]
    count = len(completions)
    lengths = [len(completion.token_ids) for completion in completions]
    return msgspec.structs.replace(
        record,
        samples=count,
        mean_tokens=sum(lengths) / count,
        longest_tokens=max(lengths),
        truncated_frac=sum(c.finish_reason == "length" for c in completions) / count,
        repeated_frac=sum(repeated_share(c.text) > REPEATED_ABOVE for c in completions) / count,
        boxed_frac=sum(extraction.boxed for extraction in extractions) / count,
        majority_frac=sum(of.majority_frac * of.samples for of in votes) / count,
    )


def peak_memory_bytes(device: torch.device) -> int:
    """Highest use of memory so far: of a CUDA device, else of this process."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
