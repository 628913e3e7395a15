"""A server of the OpenAI API on loopback that behaves as it is told."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from emdiag.engines.server import probe
from emdiag.engines.server.client import KEY_NAMES, Client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Reply = dict[str, Any]
Fault = "Callable[[Handler, dict[str, Any], Reply], bool]"


class ScriptedServer(ThreadingHTTPServer):
    """Answers as vLLM does, unless `fault` sends something else (and says so by True).

    Attributes:
        fault: Called with the handler, the request and the answer it would get.
        seen: Requests for completions, in order.
        keys: What came as `Authorization`.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.fault: Callable[[Handler, dict[str, Any], Reply], bool] = lambda *_: False
        self.models: list[dict[str, Any]] = [
            {"id": "m", "owned_by": "vllm", "root": "w", "max_model_len": 256}
        ]
        self.pages: dict[str, dict[str, Any]] = {"/version": {"version": "0.32.0"}}
        self.seen: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.key: str | None = None
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class Handler(BaseHTTPRequestHandler):
    server: ScriptedServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        self.server.keys.append(self.headers["Authorization"])
        if self.server.key and self.headers["Authorization"] != f"Bearer {self.server.key}":
            return self.send(
                401,
                {"error": {"message": "no or wrong key: " + str(self.headers["Authorization"])}},
            )
        if self.path == "/v1/models":
            return self.send(200, {"object": "list", "data": self.server.models})
        page = self.server.pages.get(self.path)
        return self.send(200 if page else 404, page or {"detail": "Not Found"})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            self.server.keys.append(self.headers["Authorization"])
            self.server.seen.append(body)
        answer = answer_to(body, is_chat=self.path.endswith("/chat/completions"))
        if not self.server.fault(self, body, answer):
            self.send(200, answer)

    def send(self, status: int, content: object, **headers: str) -> None:
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def answer_to(body: dict[str, Any], *, is_chat: bool) -> Reply:
    """Some tokens that depend on prompt and seed alone, and on nothing where it is greedy."""
    prompt = body["messages" if is_chat else "prompt"]
    seed = body["seed"] if body["temperature"] else 0
    noise = hashlib.sha256(json.dumps([prompt, seed]).encode()).digest()
    ids = [65 + byte % 26 for byte in noise[: min(6, body["max_tokens"])]]
    text = "".join(chr(33 + number) for number in ids)
    count = len(prompt) if isinstance(prompt, list | str) else 0
    choice: Reply = {
        "index": 0,
        "finish_reason": "length",
        "logprobs": {"x": 1} if body.get("logprobs") else None,
    }
    choice |= {"message": {"content": text, "reasoning": "hm"}} if is_chat else {"text": text}
    if body.get("return_token_ids"):
        choice |= {"token_ids": ids}
        if not is_chat:
            choice["prompt_token_ids"] = prompt if isinstance(prompt, list) else None
    return {
        "choices": [choice],
        "usage": {"prompt_tokens": count, "completion_tokens": len(ids)},
    }


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedServer]:
    for name in KEY_NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Client, "first_pause_s", 0.01)
    monkeypatch.setattr(Client, "longest_pause_s", 0.05)
    monkeypatch.setattr(Client, "longest_wait_s", 0.1)
    probe.forget()
    scripted = ScriptedServer()
    thread = threading.Thread(target=scripted.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield scripted
    scripted.shutdown()
    scripted.server_close()
    thread.join()
    probe.forget()


def first(times: int, fault: Callable[[Handler, dict[str, Any], Reply], bool]) -> Any:
    """A fault that befalls each seed only so many times, and no look at the server."""
    counts: dict[int, int] = {}
    lock = threading.Lock()

    def befall(handler: Handler, body: dict[str, Any], answer: Reply) -> bool:
        if body["max_tokens"] == 16:
            return False
        with lock:
            counts[body["seed"]] = counts.get(body["seed"], 0) + 1
            if counts[body["seed"]] > times:
                return False
        return fault(handler, body, answer)

    return befall


def sleeps(seconds: float) -> Any:
    def befall(*_: Any) -> bool:
        time.sleep(seconds)
        return False

    return befall
