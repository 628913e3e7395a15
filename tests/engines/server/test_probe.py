"""What is seen of a server before anything is drawn, and what a user is told where that fails."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from emdiag.core.errors import CheckpointError, EngineError, EngineRefusedError, PlanError
from emdiag.core.sampling import ChatTurn, Prompt
from emdiag.engines.checkpoint.resolve import check_reference, resolve_checkpoint
from emdiag.engines.open import choose_engine, engine_spec, open_encoder
from emdiag.engines.options import EngineOptions
from emdiag.engines.served import describe_server
from emdiag.engines.server import client, probe
from emdiag.engines.server.client import checked_url
from emdiag.engines.server.wire import ModelCard
from tests.engines.server.conftest import Handler, ScriptedServer, sleeps
from tests.engines.server.test_sampler import options

if TYPE_CHECKING:
    from pathlib import Path

    from emdiag.core.checkpoints import CheckpointRef

IDS = Prompt(problem_id="p", text="1 + 1", token_ids=(7, 8, 9), template_sha256="")
TURNS = Prompt(
    problem_id="p",
    text="?",
    token_ids=(),
    template_sha256="",
    messages=(ChatTurn(role="user", content="?"),),
)


def tried(
    server: ScriptedServer, checkpoint: CheckpointRef, prompt: Prompt = IDS, **how: Any
) -> Any:
    chosen = options(server, **how)
    return probe.try_out(probe.look(checkpoint, chosen, None), prompt, chosen, None)


def counting(count: int | None, *, text: int | None = 3) -> Any:
    """A fault: what is counted of token ids, and of texts, in answers that tell no ids."""

    def fault(handler: Any, body: dict[str, Any], answer: dict[str, Any]) -> bool:
        answer["choices"][0].pop("prompt_token_ids", None)
        found = count if isinstance(body["prompt"], list) else text
        answer["usage"]["prompt_tokens"] = found
        return False

    return fault


def test_a_server_is_known_by_what_it_says(server: ScriptedServer, tiny: CheckpointRef) -> None:
    served = probe.look(tiny, options(server), None)
    assert (served.kind, served.version, served.root) == ("vllm", "0.32.0", "w")
    assert (served.model, served.max_context, served.is_named) == ("m", 256, False)
    habits = tried(server, tiny)
    assert (habits.api, habits.seeds) == ("tokens", "honoured")
    assert (habits.gives_ids, habits.gives_logprobs) == (True, True)
    spec, notes = describe_server(
        engine_spec("server", options=options(server)),
        tiny,
        IDS,
        options=options(server),
        home=None,
        is_greedy=False,
    )
    assert (spec.name, spec.dtype, spec.server, spec.api) == ("server", "unknown", "vllm", "tokens")
    assert [note.code for note in notes] == ["served"]
    encoder = open_encoder("server", tiny, options=options(server))
    assert encoder.max_context == 256


@pytest.mark.parametrize(
    ("path", "page", "kind", "context"),
    [
        (
            "/props",
            {"build_info": "b1", "default_generation_settings": {"n_ctx": 99}},
            "llama.cpp",
            99,
        ),
        ("/info", {"model_id": "x", "version": "3.3", "max_total_tokens": 77}, "tgi", 77),
        ("/api/version", {"version": "0.40"}, "ollama", None),
        ("/nothing", {}, "unknown", None),
    ],
)
def test_a_server_that_does_not_say_who_it_is_in_its_list(
    server: ScriptedServer,
    tiny: CheckpointRef,
    path: str,
    page: dict[str, Any],
    kind: str,
    context: int | None,
) -> None:
    server.models = [{"id": "m"}]
    server.pages = {path: page}
    served = probe.look(tiny, options(server), None)
    assert (served.kind, served.max_context) == (kind, context)


def test_ids_that_are_read_as_text_are_not_sent(
    server: ScriptedServer, tiny: CheckpointRef
) -> None:
    server.fault = counting(11)
    assert tried(server, tiny).api == "text"
    probe.forget()
    server.fault = counting(4)
    with pytest.raises(EngineRefusedError, match="begin token") as caught:
        tried(server, tiny, server_api="tokens")
    assert caught.value.facts == {"expected": "3 tokens", "found": "4 tokens"}
    probe.forget()
    server.fault = counting(None)
    assert tried(server, tiny).api == "text"
    probe.forget()
    server.fault = counting(4, text=4)
    with pytest.raises(EngineRefusedError, match="reads the text of a prompt"):
        tried(server, tiny)


def test_a_server_without_an_endpoint_names_the_other(
    server: ScriptedServer, tiny: CheckpointRef
) -> None:
    def fault(handler: Any, body: dict[str, Any], answer: dict[str, Any]) -> bool:
        if "prompt" in body:
            handler.send(404, {"detail": "Not Found"})
        return "prompt" in body

    server.fault = fault
    with pytest.raises(EngineRefusedError, match="--server-api chat"):
        tried(server, tiny)
    assert tried(server, tiny, TURNS).api == "chat"


def test_seeds_that_are_ignored_are_seen(server: ScriptedServer, tiny: CheckpointRef) -> None:
    def fault(handler: Any, body: dict[str, Any], answer: dict[str, Any]) -> bool:
        answer["choices"][0]["token_ids"] = [len(server.seen)]
        return False

    server.fault = fault
    _, notes = describe_server(
        engine_spec("server", options=options(server)),
        tiny,
        IDS,
        options=options(server),
        home=None,
        is_greedy=False,
    )
    assert [note.code for note in notes] == ["served", "seeds-not-honoured"]
    assert notes[1].values["is_shown"] is True


def test_an_answer_without_ids_and_count_is_of_no_use(
    server: ScriptedServer, tiny: CheckpointRef
) -> None:
    def fault(handler: Any, body: dict[str, Any], answer: dict[str, Any]) -> bool:
        answer["choices"][0].pop("token_ids", None)
        answer["usage"] = None
        return False

    server.fault = fault
    with pytest.raises(EngineRefusedError, match="neither which tokens it drew nor how many"):
        tried(server, tiny)


def test_models_are_named_or_found(server: ScriptedServer, tiny: CheckpointRef) -> None:
    with pytest.raises(PlanError, match="no model 'other'") as caught:
        probe.look(tiny, options(server, model="other"), None)
    assert caught.value.facts["served"] == "m"
    server.models.append({"id": "n", "owned_by": "vllm", "root": "elsewhere"})
    with pytest.raises(PlanError, match="--model NAME"):
        probe.look(tiny, options(server), None)
    server.models[1]["root"] = tiny.path
    assert probe.look(tiny, options(server), None).model == "n"


def test_a_key_is_sent_to_the_server_and_never_told(
    server: ScriptedServer, tiny: CheckpointRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.key = "sk-right"
    with pytest.raises(EngineError, match="wants a key") as caught:
        probe.look(tiny, options(server), None)
    assert "EMDIAG_API_KEY or OPENAI_API_KEY" in str(caught.value.hint)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-wrong")
    with pytest.raises(EngineError, match="does not take the key") as caught:
        probe.look(tiny, options(server), None)
    assert "sk-wrong" not in str(caught.value)
    assert "(key)" in str(caught.value)
    monkeypatch.setenv("EMDIAG_API_KEY", " sk-right\n")
    probe.look(tiny, options(server), None)
    assert server.keys[-1] == "Bearer sk-right"
    monkeypatch.setenv("EMDIAG_API_KEY", "sk\nx")
    probe.forget()
    with pytest.raises(PlanError, match="EMDIAG_API_KEY holds characters") as wrong:
        probe.look(tiny, options(server), None)
    assert "sk" not in wrong.value.message


SECRET = "sk-0123456789abcdef"


def test_a_key_that_a_server_sends_back_is_never_shown(
    server: ScriptedServer, tiny: CheckpointRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMDIAG_API_KEY", SECRET)
    replies: list[tuple[int, bytes, dict[str, str]]] = [
        (200, f"<html>you sent {SECRET}".encode(), {}),
        (200, f'{{"error": "no {SECRET}"}}'.encode(), {}),
        (400, b"x" * 290 + SECRET.encode(), {}),
        (302, b"", {"Location": f"/login/{SECRET}"}),
        (302, b"", {"Location": f"http://[{SECRET}"}),
    ]
    for status, content, headers in replies:

        def fault(handler: Any, *_: Any, reply: Any = (status, content, headers)) -> bool:
            handler.send(reply[0], reply[1], **reply[2])
            return True

        server.fault = fault
        with pytest.raises(EngineError) as caught:
            tried(server, tiny)
        assert SECRET[:8] not in str(caught.value)
        if "/login" in headers.get("Location", ""):
            assert caught.value.facts["place"] == server.url.removesuffix("v1") + "login/(key)"
    server.models[0]["id"] = SECRET
    probe.forget()
    with pytest.raises(PlanError) as wrong:
        probe.look(tiny, options(server, model="m"), None)
    assert wrong.value.facts["served"] == "(key)"


def test_names_are_shown_as_they_are_and_a_list_is_named_where_it_is_wrong(
    server: ScriptedServer, tiny: CheckpointRef
) -> None:
    server.models[0] |= {"id": "\x1b[31mred\n[b]", "max_model_len": -5}
    assert probe.look(tiny, options(server), None).max_context is None
    with pytest.raises(PlanError) as caught:
        probe.look(tiny, options(server, model="m"), None)
    assert caught.value.facts["served"] == "\ufffd[31mred [b]"
    server.models[0]["id"] = 5
    with pytest.raises(EngineError, match="cannot be read") as unread:
        probe.look(tiny, options(server, model="n"), None)
    assert unread.value.facts["from"] == f"{server.url}/models"


def test_a_look_that_hangs_does_not_take_as_long_as_a_request_may(
    server: ScriptedServer, tiny: CheckpointRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "_LOOK_S", 0.1)
    monkeypatch.setattr(Handler, "do_GET", sleeps(0.5))
    with pytest.raises(EngineError, match=r"did not answer within 0\.1 s"):
        probe.look(tiny, options(server, request_timeout_s=3600), None)


def test_no_request_and_no_key_follows_a_redirect(
    server: ScriptedServer, tiny: CheckpointRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMDIAG_API_KEY", "sk-secret")
    other = ScriptedServer()
    try:

        def fault(handler: Any, *_: Any) -> bool:
            handler.send(307, b"", Location=f"{other.url}/completions?k=sk-secret")
            return True

        server.fault = fault
        with pytest.raises(EngineError, match="sends to another place") as caught:
            tried(server, tiny)
        assert "sk-secret" not in str(caught.value)
        assert not other.keys
    finally:
        other.server_close()


def test_a_page_in_place_of_an_api_is_named(server: ScriptedServer, tiny: CheckpointRef) -> None:
    server.pages["/v1/models"] = {}
    server.models = "<html>"  # type: ignore[assignment]  # no list at all
    with pytest.raises(EngineError, match="cannot be read"):
        probe.look(tiny, options(server), None)


def test_what_was_seen_of_a_server_stands_in_while_it_is_away(
    server: ScriptedServer,
    tiny: CheckpointRef,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    chosen = options(server, patience_s=600)
    served = probe.look(tiny, chosen, tmp_path)
    habits = probe.try_out(served, IDS, chosen, tmp_path)
    probe.forget()
    server.server_close()
    assert probe.look(tiny, chosen, tmp_path) == served
    assert probe.try_out(served, IDS, chosen, tmp_path) == habits
    assert "what was seen of it before is taken" in caplog.text
    probe.forget()
    with pytest.raises(EngineError, match="is it running"):
        probe.look(tiny, chosen, None)


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("http://host:8000", "http://host:8000/v1"),
        ("https://host/openai/v2/", "https://host/openai/v2"),
        ("http://[::1]:80/v1", "http://[::1]:80/v1"),
    ],
)
def test_addresses(typed: str, found: str) -> None:
    assert checked_url(typed) == found


@pytest.mark.parametrize(
    "typed",
    [
        "host:8000",
        "ftp://h",
        "http://",
        "http://h:99999",
        "http://u:pw@h",
        "http://u:pw@h:port",
        "u:pw@h:8000",
        "http://h/v1?key=x",
        "x",
    ],
)
def test_what_is_no_address_or_holds_a_secret_is_refused(typed: str) -> None:
    with pytest.raises(PlanError, match="--base-url") as caught:
        checked_url(typed)
    assert "pw" not in str(caught.value)
    assert "key=x" not in str(caught.value)


def test_a_served_name_needs_a_server_and_an_address_means_one(tiny: CheckpointRef) -> None:
    with pytest.raises(CheckpointError, match="--engine server --base-url"):
        check_reference("served:m")
    from emdiag.engines.options import EngineOptions

    assert choose_engine("auto", tiny, options=EngineOptions(base_url="http://h")) == "server"
    with pytest.raises(PlanError, match="address of a server"):
        probe.look(tiny, EngineOptions(engine="server"), None)


def test_an_adapter_is_never_taken_for_the_base_that_a_server_has(
    tiny: CheckpointRef, adapter_folder: Path
) -> None:
    adapter = resolve_checkpoint(str(adapter_folder), label="em")
    base, own = (
        ModelCard(id=name, owned_by=None, root=root)
        for name, root in (("tiny", tiny.path), ("lora", str(adapter_folder)))
    )
    assert probe._chosen([base, own], adapter, EngineOptions()) == (own, True)
    with pytest.raises(PlanError, match="which of the server's models is meant"):
        probe._chosen([base], adapter, EngineOptions())
    assert probe._chosen([base], tiny, EngineOptions()) == (base, True)
