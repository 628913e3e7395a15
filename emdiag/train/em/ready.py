"""What can be told of a training by EM before the libraries it needs are imported."""

from __future__ import annotations

from pathlib import Path

from emdiag.benchmarks.open import open_benchmark
from emdiag.core.paths import expanded
from emdiag.train.em.plan import EMPlan, expand
from emdiag.train.jobs import open_parent
from emdiag.train.prompts import find_problems, read_prompt_file


def check_em(plan: EMPlan, *, home: Path) -> None:
    """Refuse a plan whose grid, parent, prompts or held-out problems cannot be used.

    Raises:
        EmdiagError: As `train_em`, seconds earlier.
    """
    cells = expand(plan)
    open_parent(
        plan.ref,
        home=home,
        trust_remote_code=plan.engine.trust_remote_code,
        chat=plan.asking.needs_chat or any(cell.recipe.chat for cell in cells),
    )
    if plan.prompt_file is not None:
        read_prompt_file(expanded(plan.prompt_file), prompts=plan.prompts)
    else:
        for problems in dict.fromkeys(cell.problems for cell in cells):
            find_problems(problems, home=home)
    if plan.held_out not in {None, "none"}:
        open_benchmark(str(plan.held_out), home=home, require_answers=False)
