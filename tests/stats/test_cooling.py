from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, special

from emdiag.core.moments import COOLING_TEMPERATURES
from emdiag.stats.curves import best_temperature


def kl(checkpoint: np.ndarray, base: np.ndarray, temperature: float) -> np.ndarray:
    """Of each problem, `[problems]`, averaged over positions; logits `[problems, positions, v]`."""
    log_p = special.log_softmax(checkpoint, axis=-1)
    log_q = special.log_softmax(base / temperature, axis=-1)
    found: np.ndarray = (np.exp(log_p) * (log_p - log_q)).sum(axis=-1).mean(axis=-1)
    return found


def models(seed: int, *, sharper: float, noise: float) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    base = random.gumbel(0, random.uniform(0.8, 3), size=(6, 8, 60))
    return base * sharper + noise * random.normal(size=base.shape), base


def curves_of(checkpoint: np.ndarray, base: np.ndarray) -> np.ndarray:
    return np.stack([kl(checkpoint, base, t) for t in COOLING_TEMPERATURES], axis=-1)


@given(st.integers(0, 5000), st.floats(0.5, 4), st.floats(0, 1))
def test_the_best_temperature_is_that_of_the_exact_divergence(
    seed: int, sharper: float, noise: float
) -> None:
    checkpoint, base = models(seed, sharper=sharper, noise=noise)
    exact = optimize.minimize_scalar(
        lambda log_t: kl(checkpoint, base, np.exp(log_t)).mean(),
        bounds=(np.log(1 / 8), np.log(4)),
        method="bounded",
        options={"xatol": 1e-9},
    )
    found = best_temperature(curves_of(checkpoint, base), COOLING_TEMPERATURES)
    if not 1 / 7 < np.exp(exact.x) < 3.5:
        return
    assert found.temperature == pytest.approx(np.exp(exact.x), rel=1e-3)
    assert found.kl_nats == pytest.approx(exact.fun, abs=1e-5)
    assert found.kl_by_problem == pytest.approx(kl(checkpoint, base, np.exp(exact.x)), abs=2e-4)
    assert found.kl_by_problem.mean() == pytest.approx(found.kl_nats, abs=1e-5)


def test_a_cooled_base_is_found_to_be_one() -> None:
    checkpoint, base = models(1, sharper=1 / 0.6, noise=0)
    found = best_temperature(curves_of(checkpoint, base), COOLING_TEMPERATURES)
    assert found.temperature == pytest.approx(0.6, rel=1e-3)
    assert found.kl_nats == pytest.approx(0, abs=1e-5)
    assert found.kl_by_problem.min() >= 0


@pytest.mark.parametrize(("sharper", "end"), [(20.0, 0), (0.05, -1)])
def test_beyond_the_grid_there_is_no_temperature_but_the_best_end(sharper: float, end: int) -> None:
    checkpoint, base = models(2, sharper=sharper, noise=0)
    curves = curves_of(checkpoint, base)
    found = best_temperature(curves, COOLING_TEMPERATURES)
    assert found.temperature is None
    assert found.log_temperature_pseudo is None
    assert found.kl_nats == pytest.approx(curves[:, end].mean())
    assert found.kl_by_problem == pytest.approx(curves[:, end])


def test_where_every_temperature_is_as_good_none_is_best() -> None:
    found = best_temperature(np.full((3, 21), 0.2), COOLING_TEMPERATURES)
    assert found.temperature is None
    assert found.kl_nats == pytest.approx(0.2)


def test_seeds_and_problems_keep_their_places() -> None:
    checkpoint, base = models(3, sharper=1.5, noise=0.5)
    curves = curves_of(checkpoint, base)
    flat = best_temperature(curves, COOLING_TEMPERATURES)
    nested = best_temperature(curves.reshape(2, 3, 21), COOLING_TEMPERATURES)
    assert nested.temperature == flat.temperature
    assert np.array_equal(nested.kl_by_problem.ravel(), flat.kl_by_problem)
    assert nested.log_temperature_pseudo is not None
    assert flat.log_temperature_pseudo is not None
    assert nested.log_temperature_pseudo.shape == (2, 3)
    assert np.array_equal(nested.log_temperature_pseudo.ravel(), flat.log_temperature_pseudo)


def test_pseudo_values_average_to_the_temperature_and_spread_as_leaving_out_does() -> None:
    random = np.random.default_rng(4)
    base = random.gumbel(0, 2, size=(40, 5, 60))
    checkpoint = base * random.uniform(1.2, 1.8, size=(40, 1, 1))
    curves = curves_of(checkpoint, base)
    found = best_temperature(curves, COOLING_TEMPERATURES)
    assert found.temperature is not None
    assert found.log_temperature_pseudo is not None
    assert found.log_temperature_pseudo.mean() == pytest.approx(np.log(found.temperature))
    without = []
    for place in range(40):
        rest = best_temperature(np.delete(curves, place, axis=0), COOLING_TEMPERATURES)
        assert rest.temperature is not None
        without.append(np.log(rest.temperature))
    left_out = 39 * np.std(without)
    assert np.std(found.log_temperature_pseudo) == pytest.approx(left_out, rel=0.05)
