"""The words of every remark, by its code; `findings.remarks` fills the values in.

Without a capital and a full stop, since some stand in the middle of a sentence.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_AMPLIFIED: Final = (
    "entropy minimisation makes common behaviour more common, right or wrong (this note looks at "
    "labels; {looked:either the ranking looked at them too|the ranking did not})"
)
_WHICH: Final = "{is_registered:either registered checkpoint|first named checkpoint}"
_PUBLISHED: Final = "{published:if , drawn as the released script does,}"
_CHAIN: Final = "{right:role} minus {left:role}"
_UNIT: Final = "{axis:choose temperature=T|top_p=top-p|top_k=top-k}"

_NOTES: Final = {
    "as-given": "{text}",
    "all-of": "{parts:each}",
    "partial": "partial: the first {problems} of {total:count problem}",
    "no-chat-template": "the tokenizer of {labels:names} has no chat template, so {benchmark} is "
    "asked as plain text{is_shared:if  of all checkpoints}, as `--no-chat` does",
    "served": "{label} is drawn by {server}, which serves it as {model}; "
    "{is_known:either that these are its weights is not checked|its weights are unknown, and may "
    "change under this name}",
    "seeds-not-honoured": "the same seed {is_shown:either draws other texts|was not seen to draw "
    "the same text} again at {server}: samples of {label} may not be repeatable",
    "server-defaults": "{server} cannot be told {options:names}: its own values hold for {label}",
    "server-ends": "{server} ends answers of {label} at its own end tokens",
    "room-left": "answers to {benchmark} have {tokens:count token} at most, not "
    "{wanted:grouped}: the context of {label}, {context:grouped} tokens, leaves no more after the "
    "longest prompt"
    "{is_shared:if , and all checkpoints get the same}; `--max-tokens` takes fewer",
    "reasoning-style": "{label}: reasoning by {markers}, {style:choose tags=tokens|"
    "harmony=channels|text=ordinary text} {source:choose typed=as asked|"
    "vocabulary=of its vocabulary|template=that its chat template writes}; the answer is what "
    "follows",
    "room-to-think": "answers to {benchmark} have {tokens:count token} at most, not the "
    "{of_card:grouped} of its card, since thinking takes more ({labels:row}){is_shared:if , and "
    "all checkpoints get the same}; `--max-tokens` takes fewer",
    "tokens-at-most": "{reading}: {tokens:count token} at most for {samples:count sample}; how "
    "long that takes is known after the first ones",
    "time-at-most": "{reading}: {tokens:count token} at most for {samples:count sample}, "
    "{seconds:duration} at {rate:short} tokens/s as in earlier sessions",
    "greedy-thinking": "{label} thinks, and temperature 0 is what makers of such checkpoints "
    "advise against: they may repeat themselves without end; most advise `--temperature 0.6 "
    "--top-p 0.95`",
    "not-finished": "{share:percent} of samples did not finish thinking within {limit:count token} "
    "and give no answer",
    "cut-off": "{share:percent} of samples were cut off at {limit:count token}",
    "skewness-sees": "skewness is the same for a z + b, so it does not see cooling; of the third "
    "moment of {label} on {text} the most likely of {tokens:count token} makes {top1:percent}, the "
    "ten most likely {top10:percent}",
    "skewness-sees-not": "skewness is the same for a z + b, so it does not see cooling; what the "
    "most likely tokens make of it was not measured then",
    "no-right-skew": "a problem without a third moment above zero",
    "too-few-to-find": "even if all of {problems:count problem} changed for the better, the test "
    "would not find it",
    "too-few-change": "too few: even if all of them changed for the better, the test would often "
    "miss it",
    "nothing-changes": "no problem differs, so nothing says by how much such pairs vary",
    "not-left-to-gain": "that would take {gain:points}, which a score of {score:percent} leaves no "
    "room for",
    "ungraded": "{share:percent} of samples could not be graded",
    "doubtful-golds": "{problems:count problem has|problems have} a doubtful gold; "
    "see without_tagged",
    "several-versions": "{done} with {name} {values:names}",
    "outside-samples": "{samples:count sample lies|samples lie} outside of what is scored, or "
    "without a grade",
    "size-unknown": "how many problems {benchmark} holds is not known on this machine",
    "problems-unreadable": "statements and golds of {benchmark} are left out: {reason}",
    "problems-not-found": "statements and golds of {benchmark} are left out: its file "
    "{has_changed:either has changed|is not where the commands name it}",
    "compared-exactly": "there is no benchmark {benchmark!r} here; numbers are compared exactly",
    "not-graded-in-time": "{label} on {benchmark}: {samples:count sample} could not be graded in "
    "time",
    "setting-differs": "{name} differs: {left} against {right}",
    "samples-differ": "samples differ: {left} against {right}",
    "on-one-side-only": "{problems:count problem was|problems were} measured on one side only, "
    "and left out",
    "same-run": "both sides are the same run",
    "left-out": "left out, since it cannot be read: {file}: {reason}",
    "clock-ahead": "results in {store} are dated {hours:short} hours ahead of this machine's "
    "clock; they are taken in the order in which they were written",
    "other-texts": "{samples:count grade|grades} of {run} {samples:verb is|are} of texts that were "
    "edited, drawn anew or taken away since, and count no more; `emdiag eval` grades what lies in "
    "their place",
    "graded-anew": "{samples:count sample|samples} of {run} {samples:verb is|are} graded anew: "
    "their texts were edited, or drawn in the place of others, since they were graded",
    "drawn-anew": "{samples:count sample|samples} of {run} {samples:verb is|are} drawn anew, since "
    "the lines that held them are gone; "
    "{is_same:either this engine draws the same texts again|their texts may differ, and are graded "
    "anew}",
    "one-seed": "one seed alone does not say how much seeds differ: train more with --seeds",
    "two-seeds": "95 % intervals over only two seeds cover 86 to 97 %, and half of that where "
    "one seed in five fails",
    "differences-not-corrected": "intervals of the {differences} differences are not corrected for "
    "their number; what is marked as better or worse is (Holm)",
    "some-same-weights": "some of these checkpoints have the same weights; as seeds they "
    "count once",
    "unlabelled": "{problems} of {total:count problem} have no answer"
    "{stand_last:if ; they stand last}",
    "silent": "{share:percent} of samples give no answer; they count as samples and not as votes, "
    "which lowers agreement and majority",
    "first-mostly-wrong": "caution: on the first prompt, {problem}, most common is "
    "{answer:given the answer|to give no answer} ({share:percent} of samples), which is wrong; "
    + _AMPLIFIED,
    "first-often-wrong": "caution: on the first prompt, {problem}, {right:percent} of samples are "
    "right, so wrong ones may be as common; " + _AMPLIFIED,
    "right-as-often-as-wrong": "right as often as wrong, as the paper chooses",
    "various-answers": "the most various answers",
    "seldom-one-answer": "two samples seldom give one answer",
    "most-entropy": "the most entropy for minimisation to remove",
    "clearest-behaviour": "the clearest behaviour for minimisation to amplify, right or wrong",
    "entropy-falls-somewhere": "{benchmark}: the entropy of {base} does not rise with temperature "
    "everywhere, so that several of its temperatures may match; the lowest one is tried first",
    "slope-over-all": "a slope along one axis is over all settings of the other one",
    "seeds-shared": "samples of a problem share their seeds across checkpoints and temperatures, "
    "so that differences are less noisy",
    "entropies-not-read": "entropies were not read, so there is no entropy-matched baseline",
    "texts-without-entropies": "texts without weights or token ids (a table, a server) have "
    "no entropies, so there is no entropy-matched baseline",
    "no-setting-keeps-all": "no setting keeps all tokens above temperature 0, so there is no "
    "entropy-matched baseline",
    "base-temperature-as-known": "the temperature of the base is found from these samples and then "
    "taken as known: intervals at equal entropy leave that out (on the lab they would be up to a "
    "fifth wider where the base's accuracy is steep)",
    "no-solutions": "the benchmark has no written solutions, so no reference text was read (a set "
    "imported before solutions were kept: import it again)",
    "texts-cut-off": "{share:percent} of the texts of {writer}" + _PUBLISHED + " were cut off at "
    "the limit of new tokens",
    "empty-texts": "{texts:count text} of {writer}" + _PUBLISHED + " {texts:verb is|are} empty and "
    "left out",
    "seeds-again": "{label} holds the same weights twice: {again:count checkpoint} left "
    "out, since that is no other training seed",
    "step-left-out": "{label} is left out: {reason}",
    "steps-absent": "{label} has no {steps:row}, though its other steps are evenly apart",
    "same-weights": "{labels:names} are the same weights",
    "too-few-for-intervals": "too few problems for an interval that can be trusted ({problems})",
    "several-samples-needed": "whether right answers are written with less entropy needs several "
    "samples of a problem: --samples 4",
    "pooled-kurtosis": "intervals of pooled kurtosis cover too seldom with few problems (85-93 % "
    "for 95 % with 20)",
    "over-mixed-problems": "over problems with a right and a wrong answer, and over those alone",
    "no-mixed-problem": "no problem has a right and a wrong answer",
    "no-closest-temperature": "no temperature from 1/8 to 4 comes closest",
    "nothing-to-share": "the KL is below {nats:short} nats: there is nothing to share",
    "not-defined": "not defined on these texts",
    "not-corrected": "verdicts are not corrected for the number of claims and of arms looked at",
    "wrong-by-chance": "verdicts are not corrected for their number: of {verdicts:count verdict} "
    "that could be decided, at most {expected:short} would be wrong by chance on average (2.5 % "
    "for each interval that can decide one, summed)",
    "roles-unknown": "left out, since nothing says what they are: {labels:row}",
    "measured-on": "measured on {benchmarks:row}; nothing is said of other problems",
    "trained-on-measured": "{label} was trained on {problems:count problem} of {benchmark} that it "
    "was measured on: left out where scores are compared, kept in sweeps and studies of logits; a "
    "checkpoint names the first {named} problems it was trained on",
    "trained-on-more": "trained on {named} problems or more, of which checkpoints name only the "
    "first {named}, so that others may be measured on: {labels:row}",
    "other-engine": "{left} and {right} on {benchmark}: engine differs: {left_engines:names} "
    "against {right_engines:names}",
    "other-prompts": "{left} and {right} on {benchmark}: prompts differ",
}
"""What changes how results should be read."""

_REASONS: Final = {
    "gain": "{gain:points} on {benchmarks:row}, checkpoints: {left_seeds} of {left_checkpoints} of "
    "{left}, {right_seeds} of {right_checkpoints} of {right}",
    "seeds-above": "{above} of {seeds:count seed} above {left}, so at least {at_least:whole} of "
    "all seeds are (95 %)",
    "no-seed-above": "none of {seeds:count seed} above {left}",
    "mean-gain": "mean over {seeds:count seed} {gain:points}",
    "benchmarks-held": f"the {_WHICH} holds on {{held}} of {{measured:count benchmark}}, "
    "{needed} needed",
    "few-benchmarks": "measured on {benchmarks:row} only, and said of no other benchmark",
    "pass-at-k": "pass@{k} {gain:points}, checkpoints: {left_seeds} of {left}, {right_seeds} of "
    "{right}",
    "base-passes": "the base passes {label} between k = {low} and {high}",
    "best-template": "{gain:points} against {template}, the best of {templates}; {seeds} of "
    "{checkpoints} of {label}",
    "order-gain": _CHAIN + " {gain:points} ({right_seeds} and {left_seeds} seeds)",
    "order-not-measured": _CHAIN + " is not measured",
    "best-over-worst": "best over worst {ratio:statistic} times, chosen on other problems",
    "seeds-as-measured": "as seen, which is too large, {ratio:short}, from {worst:hundredths} to "
    "{best:hundredths} percent, standard deviation {deviation:hundredths} points; the best of "
    "{drawn} of these seeds is {expected_gain:hundredths} points above their mean",
    "never-right": "a seed is never right on half of the problems, so no ratio is defined",
    "correlation": "rank correlation {correlation:statistic} over {prompts:count prompt}",
    "gains": "{label} gains {gain:points}",
    "problems-changed": "{left} and {right} of {problems:count problem} change",
    "gains-apart": "{direction:choose undecided=which of the two gains more is undecided|"
    "higher=the two do not change alike|lower=the two do not change alike} ({shift:points})",
    "standard-errors": "{change:statistic} standard errors",
    "repeated": "{change:points}; {flips} of {samples:count answer differs|answers differ}",
    "auroc": "AUROC {value:statistic} over {problems:count problem} with a right and a wrong "
    "answer",
    "seeds": "over {seeds:count seed}",
    "vocabulary": "{tokens:given for a vocabulary of|for a vocabulary whose size was not stored}",
    "as-published": "as published {change:change}{differs:if , which would say something else}",
    "differs": "{label} is {how} than {base} on {text}: {statistic} {change:moved before after}",
    "no-difference": "No significant difference between {label} and {base} on {text}: {statistic} "
    "{change:moved before after}",
    "no-interval": "{label} against {base} on {text}: {statistic} {change:moved before after}, "
    "without an interval",
    "trend": "Accuracy of {checkpoint} on {benchmark} {trend:choose "
    "undecided=shows no clear trend} with {axis:choose top_p=top-p|top_k=top-k}: "
    "{slope:points} per unit of " + _UNIT,
    "slope-difference": "The slope of {left} on {benchmark} {direction:choose higher=is above|"
    "lower=is below|undecided=does not differ significantly from} that of {right}: "
    "{difference:points} per unit of " + _UNIT + ", {p_holm:p} (Holm)",
    "measured-checkpoints": "{sides:sum}",
    "checkpoints-of": "{checkpoints:count checkpoint} of {label}",
    "at-equal-entropy": "{checkpoint} on {benchmark} {temperature:at} minus {base} at equal "
    "entropy (T {base_temperature:setting}): {difference:points}, "
    "{verdict:choose cooling=no more than cooling|undecided=undecided whether it is more than "
    "cooling}",
    "no-equal-entropy": "{checkpoint} on {benchmark} {temperature:at} has an entropy of "
    "{entropy_nats:short} nats, which no temperature of {base} matches; the nearest is "
    "{base_entropy_nats:short} (T {base_temperature:setting}): undecided whether it is more than "
    "cooling",
    "other-verdict-at": "another verdict at T {temperatures:settings}",
    "rule-asks": "the rule asks for {lacks:sum}",
}
"""Why a claim holds, fails or is undecided."""

_MISSING: Final = {
    "no-checkpoint": "no checkpoint of {roles:roles} was named in a result",
    "no-equal-runs": "no run of both sides at this temperature, under equal settings and golds, on "
    "problems that neither was trained on",
    "none-trained-alike": "no two arms were trained for as many updates, at one rate, on the same "
    "prompts",
    "no-readings": "no study of logits read the base's texts with such an arm",
    "no-right-and-wrong": "no study of logits has right and wrong answers of a problem",
    "none-graded-twice": "no runs of both sides on {benchmark} were graded twice",
    "none-drawn-twice": "no run was drawn in two of the stores",
    "no-seeds": "no arm has several seeds that were run so",
    "prompts-short": "{prompts:count training prompt has|training prompts have} both a gain and "
    "{samples:count sample} of the base, {needed} are asked for",
    "prompts-alike": "all prompts have one variance, or one gain",
    "no-sweep-of-both": "no sweep of the temperature has both sides",
    "no-baseline": "no sweep has an entropy-matched baseline of such an arm",
    "no-greedy-run-of-both": "no greedy run of base and EM on one benchmark",
    "templates-short": "the base was run under {measured} of {needed} templates on {benchmark} "
    "({templates:row}), counting those with equal golds on all {problems:count problem} of {label}",
    "no-untrained-problems": "no two problems that {label} was not trained on",
}
"""What is not stored, so that nothing is decided."""

_NEEDS: Final = {
    "seeds-of-role": "{needed} training seeds of {role:role} ({measured} measured)",
    "seeds-short": "{needed} training seeds ({measured} measured)",
    "bins-short": "training prompts from {needed} fifths of the pass rate (from {measured})",
    "steps-unlike": "mean step norms within a factor {most:short} of each other "
    "(their ratio is {ratio:short})",
    "steps-unknown": "step norms of both sides, which their training folders no longer tell",
    "problems-short": "{needed} problems ({measured} measured)",
    "samples-short": "{needed} samples of each problem ({drawn} drawn)",
    "slopes-short": "a slope of either side",
    "reach-short": "a sweep from T {low:setting} or less to {high:setting} or more",
    "temperature-short": "T {temperatures:span}",
    "not-run": f"the {_WHICH} of {{label}}, which was not run",
    "lacking": "{lacks:sum}: {plan}",
    "more-to-vary": "more {of}: nothing varies enough for an interval",
    "far-more": "far more {of}: the value lies on the bound",
    "times-as-many": "about {times:factor} times as many {of}, if the value stays as it is",
    "find-equal-entropy": "a temperature of the base between those tried: `emdiag temp-sweep` "
    "looks for it",
    "mixed-problems-needed": "problems of which some are right and some wrong: the score has no "
    "standard error",
    "order-seeds": _CHAIN + ": {needed} training seeds on either side ({measured} measured); "
    "{plan}",
    "order-needs": _CHAIN + ": {needed:each}",
}
"""What would decide a claim."""

_FIGURES: Final = {
    "difference": "{right} minus {left} on {benchmarks:row}",
    "difference-on": "{right} minus {left} on {benchmark}, {temperature:at}",
    "mean-over-seeds": "{right} minus {left}, mean over seeds on {benchmarks:row}",
    "one-checkpoint": f"{{right}} minus {{left}}, {_WHICH} on {{benchmark}}, {{temperature:at}}",
    "pass-at-k-difference": "pass@{k}, {right} minus {left} on {benchmark}, {temperature:at}",
    "best-template-difference": "{right} ({right_template}) minus {left} under its best template "
    "({left_template}) on {benchmark}",
    "order-difference": _CHAIN,
    "best-over-worst-of": "best over worst of {seeds:count seed} of {label} on {benchmark}, "
    "{temperature:at}",
    "variance-and-gain": "rank correlation of outcome variance and gain",
    "skewness-difference": "skewness of {label} minus {base}, per token, raw, on the base's texts",
    "published-difference": "skewness of {label} minus {base}, {step}",
    "auroc-of": "AUROC of entropy within problems, {label}",
    "auroc-of-part": "AUROC of entropy within problems in {part} of the text, {label}",
    "step-norms": "mean step norm of {right} over that of {left}",
    "slopes-apart": "slope of {right} minus slope of {left} on {benchmark}",
    "slope": "slope of {label}, T {low:setting} to {high:setting}",
    "equal-entropy": "{checkpoint} at T {temperature:setting} minus {base} at T "
    "{base_temperature:setting}{is_matched:either |, entropies differ}",
    "main-minus-second": "main minus second grader, {label}",
    "graders-shift": "the same, {right} minus {left}",
    "drawn-again": "score of {label}, drawn again",
    "answers-differ": "answers that differ",
    "change-over-error": "change of the score over its standard error",
}
"""Names of the numbers behind a verdict."""

_LOOKS: Final = {
    "unreadable": "{reason}{facts:given :|}",
    "runs": "{versions}: {how:choose yes=can run here|no=cannot run here|no-device=cannot run "
    "here, since torch sees no CUDA device}",
    "cores": "{cores:count core}, {memory:storage} of memory",
    "cuda": "{device}, memory {memory:storage}, {built_for}",
    "no-cuda": "none: {has_driver:either torch is built for a CPU, or sees no device|this system "
    "has no driver of one}",
    "folder": "{path}: {is_there:either |not there yet, }{free:storage} free"
    "{can_write:either |, and it cannot be written}",
    "other-place": "make room, mend the permissions, or name another place: {setting}",
    "locks-hold": "hold where the store is",
    "locks-fail": "a lock does not keep out a second process where the store is",
    "offline": "offline variables: {flags:row}",
    "benchmarks-whole": "{names:names}, as their checksums say",
    "get-benchmarks": "`emdiag benchmarks list` says how to get {names:names}",
    "grader-tested": "{passed} of {pairs:count answer} judged as known, in {seconds:duration} by "
    "{grader}{failed:if : }{failed:each}",
    "judged-wrongly": "{text} is {verdict} against {gold}, expected {expected}",
    "reinstall-grader": "pip install --force-reinstall math-verify, at the version that emdiag "
    "asks for",
    "weights": "{numbers:count number} as {formats:names}, {size:storage} on disk",
    "tokenizer": "{kind}, {tokens:count token}",
    "begin-token": "{token}, id {number}; prompts {starts:either start|do not start} with it",
    "name-stop-token": "name eos_token_id in generation_config.json",
    "chat-template": "{has_template:either yes|none}; prompts {is_used:either use it|are plain "
    "text}",
    "context": "{tokens:count token}",
    "engine-taken": "{engine} in {dtype}: {why:choose named=asked for by name|scripted=a table of "
    "texts|server=its address is given|vllm=vLLM can run here|transformers=vLLM does not read it|"
    "no-vllm=no vLLM can run here}",
    "drawn-so": "{way:choose refill=of any lengths side by side, others join midway|padded=of any "
    "lengths that begin together}",
    "no-scores": "{engine} gives no log-probabilities, so nothing is compared",
    "memory": "{size:storage} of weights in {dtype}",
    "memory-of-rows": "{token:storage} a token, {cache:storage} for {rows:count row} of "
    "{tokens:count token}",
    "time": "{seconds:duration} at most, if each of {problems:count problem} of {benchmark} took "
    "{tokens:count token}: an estimate, at the {speed:short} tokens/s of {rows:count row} here",
}
"""States of a machine and of a checkpoint, and remedies."""

_NOT_MEASURED: Final = {code: f"not measured: {text}" for code, text in _MISSING.items()}

TEMPLATES: Final[Mapping[str, str]] = {
    **_NOTES,
    **_REASONS,
    **_NOT_MEASURED,
    **_NEEDS,
    **_FIGURES,
    **_LOOKS,
}
"""Code to template."""
