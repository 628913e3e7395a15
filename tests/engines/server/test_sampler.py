"""Every answer once, from a server that is slow, broken, hostile or away; nothing lost or twice."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from emdiag.core.errors import EngineError, EngineRefusedError
from emdiag.core.sampling import FilledPrompt, SampleRequest, SamplingParams
from emdiag.engines.open import open_sampler
from emdiag.engines.options import EngineOptions
from emdiag.engines.requests import one_for_each
from emdiag.engines.served import served_checkpoint
from emdiag.engines.server import probe
from emdiag.engines.server.client import Client
from emdiag.engines.server.references import MessageEncoder
from tests.engines.server.conftest import ScriptedServer, first, sleeps

if TYPE_CHECKING:
    from collections.abc import Callable

    from emdiag.core.checkpoints import CheckpointRef
    from emdiag.core.sampling import Completion

PARAMS = SamplingParams(temperature=1, max_tokens=8, stop_token_ids=(256,))


def options(server: ScriptedServer, **changes: Any) -> EngineOptions:
    return EngineOptions(**{"engine": "server", "base_url": server.url, "patience_s": 2, **changes})


def draw(
    checkpoint: CheckpointRef,
    server: ScriptedServer,
    requests: list[SampleRequest],
    *,
    params: SamplingParams = PARAMS,
    **changes: Any,
) -> list[Completion]:
    sampler = open_sampler(
        "server", checkpoint, options=options(server, **changes), longest_tokens=0
    )
    try:
        return list(one_for_each(sampler.sample(requests, params=params), requests))
    finally:
        sampler.close()


@pytest.fixture
def asked(ask: Callable[..., list[SampleRequest]]) -> list[SampleRequest]:
    return ask(*(f"{number} + 1 = ?" for number in range(8)), samples=2)


def bad(content: object, **changes: Any) -> Any:
    def fault(handler: Any, body: Any, answer: dict[str, Any]) -> bool:
        answer["choices"][0] |= changes
        handler.send(200, answer if content is None else content)
        return True

    return fault


def status(code: int, body: object = b"", **headers: str) -> Any:
    def fault(handler: Any, *_: Any) -> bool:
        handler.send(code, body, **headers)
        return True

    return fault


def cut_off(handler: Any, *_: Any) -> bool:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"choices": [')
    handler.close_connection = True
    return True


def hang_up(handler: Any, *_: Any) -> bool:
    handler.close_connection = True
    return True


def counting(count: int) -> Any:
    def fault(handler: Any, body: Any, answer: dict[str, Any]) -> bool:
        answer["usage"]["prompt_tokens"] = count
        return False

    return fault


def twice(handler: Any, body: Any, answer: dict[str, Any]) -> bool:
    answer["choices"] *= 2
    handler.send(200, answer)
    return True


def drip(handler: Any, *_: Any) -> bool:
    handler.send_response(200)
    handler.end_headers()
    for _ in range(8):
        handler.wfile.write(b" ")
        time.sleep(0.3)
    handler.close_connection = True
    return True


FAULTS = {
    "429 storm": status(429, {"error": "slow down"}, Retry_After="0.05"),
    "429 with a date": status(429, Retry_After="Fri, 27 Nov 2026 03:00:00 GMT"),
    "429 for ever": status(429, Retry_After="1e300"),
    "500": status(500, b"<html>oops"),
    "503": status(503),
    "cut off": cut_off,
    "hangs up": hang_up,
    "no JSON": bad(b"{'choices': []}"),
    "half of the JSON": bad(b'{"choices": [{"index": 0'),
    "not a number": bad(b'{"choices": [{"index": 0, "text": NaN}]}'),
    "deep JSON": bad(b"[" * 100_000),
    "no UTF-8": bad(b'{"choices": [{"index": 0, "text": "\xff"}]}'),
    "no choices": bad(b'{"choices": []}'),
    "two choices": twice,
    "another index": bad(None, index=1),
    "no text": bad(None, text=None, token_ids=None),
    "no reason": bad(None, finish_reason=None),
    "odd reason": bad(None, finish_reason="abort"),
    "too many tokens": bad(None, token_ids=[65] * 10),
    "negative ids": bad(None, token_ids=[-1]),
    "ids of another vocabulary": bad(None, token_ids=[65, 5000]),
    "a huge answer": bad(b"[" + b" " * 3_000_000),
    "packed": status(200, b"x", Content_Encoding="gzip"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_every_request_is_answered_once_whatever_goes_wrong_first(
    tiny: CheckpointRef, server: ScriptedServer, asked: list[SampleRequest], name: str
) -> None:
    expected = {(c.problem_id, c.sample_index): c for c in draw(tiny, server, asked)}
    server.fault = first(2, FAULTS[name])
    found = draw(tiny, server, asked)
    assert len(found) == len(asked)
    assert {(c.problem_id, c.sample_index): c for c in found} == expected
    assert len(server.seen) >= 4 * len(asked)  # once, and three times


def test_a_slow_server_and_one_that_drips_are_asked_again(
    tiny: CheckpointRef, server: ScriptedServer, asked: list[SampleRequest]
) -> None:
    server.fault = first(1, drip)
    assert len(draw(tiny, server, asked[:4], request_timeout_s=1)) == 4
    server.fault = first(1, sleeps(1.2))
    assert len(draw(tiny, server, asked[4:8], request_timeout_s=1)) == 4


def test_an_answer_that_stays_wrong_names_its_problem_and_the_others_are_kept(
    tiny: CheckpointRef, server: ScriptedServer, asked: list[SampleRequest]
) -> None:
    def fault(handler: Any, body: dict[str, Any], answer: dict[str, Any]) -> bool:
        if body["seed"] != asked[4].seed:
            return False
        handler.send(200, b"<html>\x1b[31m no " + b"x" * 400)
        return True

    server.fault = fault
    sampler = open_sampler("server", tiny, options=options(server), longest_tokens=0)
    with pytest.raises(EngineError, match="web page") as caught:
        list(sampler.sample(asked, params=PARAMS))
    sampler.close()
    assert caught.value.facts["problem"] == asked[4].problem_id
    assert caught.value.facts["attempts"] == "5"
    assert "\x1b" not in str(caught.value)
    assert sum(body["seed"] == asked[4].seed for body in server.seen) == 5
    assert {body["seed"] for body in server.seen} >= {request.seed for request in asked}


def test_what_was_drawn_comes_before_the_error(
    tiny: CheckpointRef, server: ScriptedServer, asked: list[SampleRequest]
) -> None:
    def fault(handler: Any, body: dict[str, Any], answer: dict[str, Any]) -> bool:
        if body["seed"] != asked[0].seed:
            return False
        handler.send(400, {"error": {"message": "this prompt is not liked"}})
        return True

    server.fault = fault
    sampler = open_sampler("server", tiny, options=options(server, batch_size=2), longest_tokens=0)
    drawing = sampler.sample(asked, params=PARAMS)
    found = [next(drawing) for _ in asked[1:]]
    with pytest.raises(EngineRefusedError, match="not liked"):
        next(drawing)
    sampler.close()
    assert len(found) == len(asked) - 1


def test_a_server_that_is_away_is_waited_for_and_then_given_up(
    tiny: CheckpointRef,
    server: ScriptedServer,
    asked: list[SampleRequest],
    caplog: pytest.LogCaptureFixture,
) -> None:
    away = threading.Event()

    def fault(handler: Any, body: dict[str, Any], answer: dict[str, Any]) -> bool:
        if len(server.seen) > 12:
            away.set()
        if away.is_set():
            handler.send(503, {"error": "loading"})
        return away.is_set()

    server.fault = fault
    back = threading.Timer(0.8, lambda: setattr(server, "fault", lambda *_: False))
    back.start()
    with caplog.at_level(logging.WARNING):
        assert len(draw(tiny, server, asked, batch_size=4, patience_s=30)) == len(asked)
    assert caplog.text.count("trying again for 30 s") == 1
    back.join()
    server.fault = first(10**6, status(503, {"error": "loading"}))
    with pytest.raises(EngineError, match=r"no answer for 0\.3 s") as caught:
        draw(tiny, server, asked, patience_s=0.3)
    assert "it continues, what was drawn is kept" in str(caught.value.hint)
    assert caught.value.facts["says"] == "loading"


def test_another_model_that_comes_back_in_its_place_is_not_asked(
    tiny: CheckpointRef, server: ScriptedServer, asked: list[SampleRequest]
) -> None:
    def fault(handler: Any, body: dict[str, Any], answer: dict[str, Any]) -> bool:
        if body["max_tokens"] != PARAMS.max_tokens or server.models[0]["root"] != "w":
            return False
        server.models[0]["root"] = "other"
        handler.close_connection = True
        return True

    server.fault = fault
    with pytest.raises(EngineError, match="serves another model") as caught:
        draw(tiny, server, asked, batch_size=1)
    assert caught.value.facts["expected"] == "m (w)"
    assert caught.value.facts["found"] == "m (other)"


def test_a_longer_pause_than_there_is_patience_is_cut(
    tiny: CheckpointRef,
    server: ScriptedServer,
    asked: list[SampleRequest],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Client, "longest_wait_s", 120)
    server.fault = first(1, status(429, Retry_After="1e9"))
    assert len(draw(tiny, server, asked, patience_s=0.3)) == len(asked)


def test_a_request_that_alone_fails_is_not_waited_for(
    tiny: CheckpointRef, server: ScriptedServer, ask: Callable[..., list[SampleRequest]]
) -> None:
    asked = ask(*map(str, range(40)))

    def fault(handler: Any, body: dict[str, Any], answer: dict[str, Any]) -> bool:
        if body["seed"] == asked[0].seed:
            handler.send(500, b"")
            return True
        time.sleep(0.05)
        return False

    server.fault = fault
    with pytest.raises(EngineError, match="answers 500") as caught:
        draw(tiny, server, asked, batch_size=2, patience_s=600)
    assert int(caught.value.facts["attempts"]) >= 8


def test_completions_are_those_of_token_ids(
    tiny: CheckpointRef, server: ScriptedServer, ask: Callable[..., list[SampleRequest]]
) -> None:
    requests = ask("a", "bc")
    found = {c.problem_id: c for c in draw(tiny, server, requests)}
    sent = [body for body in server.seen if body["max_tokens"] == 8]
    assert sorted(body["prompt"] for body in sent) == sorted(list(r.token_ids) for r in requests)
    assert {body["seed"] for body in sent} == {request.seed for request in requests}
    (body, *_) = sent
    assert (body["top_k"], body["min_p"], body["repetition_penalty"]) == (0, 0.0, 1.0)
    assert (body["stop_token_ids"], body["ignore_eos"]) == ([256], True)
    for request in requests:
        completion = found[request.problem_id]
        assert completion.prompt_tokens == len(request.token_ids)
        assert len(completion.token_ids) == completion.length == 6
        assert completion.seed == request.seed
        assert completion.text


def test_texts_without_ids_keep_their_count_and_are_cut_at_stop_strings(
    tiny: CheckpointRef, server: ScriptedServer, ask: Callable[..., list[SampleRequest]]
) -> None:
    server.models[0]["owned_by"] = "sglang"
    (request,) = ask("a")
    (whole,) = draw(tiny, server, [request])
    assert (whole.token_ids, whole.length, whole.finish_reason) == ((), 6, "length")
    params = SamplingParams(temperature=1, max_tokens=8, stop=(whole.text[3:5],))
    (cut,) = draw(tiny, server, [request], params=params)
    assert (cut.text, cut.finish_reason) == (whole.text[:3], "stop")


def test_a_served_name_is_asked_in_messages(server: ScriptedServer) -> None:
    server.models[0]["owned_by"] = "somebody"
    checkpoint = served_checkpoint("served:m", label="m", options=options(server), home=None)
    filled = FilledPrompt(
        problem_id="p", system="be brief", user="3?", plain="3?", template_sha256=""
    )
    (prompt,) = MessageEncoder().encode([filled], chat=True)
    request = SampleRequest(problem_id="p", sample_index=0, token_ids=(), seed=2**62, prompt=prompt)
    (found,) = draw(checkpoint, server, [request])
    (body,) = [body for body in server.seen if body["max_tokens"] == 8]
    assert [turn["role"] for turn in body["messages"]] == ["system", "user"]
    assert 0 <= body["seed"] < 2**31
    assert not {"top_k", "min_p", "repetition_penalty", "ignore_eos"} & body.keys()
    assert (found.length, found.prompt_tokens, found.token_ids) == (6, 2, ())
    for count in (10**30, -1):
        server.fault = counting(count)
        assert draw(checkpoint, server, [request])[0].prompt_tokens == 0
    assert (found.text[:2], found.answer_start, found.answer_text) == ("hm", 2, found.text[2:])


@pytest.mark.parametrize("name", ["top_k", "min_p", "repetition_penalty"])
def test_an_option_that_a_server_would_ignore_is_refused(
    tiny: CheckpointRef, server: ScriptedServer, asked: list[SampleRequest], name: str
) -> None:
    server.models[0]["owned_by"] = "somebody"
    params = SamplingParams(temperature=1, max_tokens=8, **{name: 1 if name == "top_k" else 0.5})
    with pytest.raises(EngineRefusedError, match=f"would ignore {name}"):
        draw(tiny, server, asked, params=params)
    probe.forget()
    server.models[0]["owned_by"] = "llamacpp"
    server.pages["/props"] = {"build_info": "b1"}
    assert len(draw(tiny, server, asked, params=params)) == len(asked)


def test_a_prompt_that_is_read_as_other_tokens_is_refused(
    tiny: CheckpointRef, server: ScriptedServer, asked: list[SampleRequest]
) -> None:
    def fault(handler: Any, body: dict[str, Any], answer: dict[str, Any]) -> bool:
        if body["max_tokens"] == 8:
            answer["choices"][0]["prompt_token_ids"] = [0, *body["prompt"]]
        return False

    server.fault = fault
    with pytest.raises(EngineRefusedError, match="as other tokens") as caught:
        draw(tiny, server, asked)
    assert caught.value.facts["expected"] == f"{len(asked[0].token_ids)} tokens"


def test_a_sampler_that_is_left_early_closes(
    tiny: CheckpointRef, server: ScriptedServer, asked: list[SampleRequest]
) -> None:
    server.fault = first(1, sleeps(0.2))
    sampler = open_sampler("server", tiny, options=options(server, batch_size=2), longest_tokens=0)
    next(drawing := sampler.sample(asked, params=PARAMS))
    drawing.close()  # type: ignore[attr-defined]  # it is a generator
    sampler.close()
    assert len(server.seen) < len(asked)
