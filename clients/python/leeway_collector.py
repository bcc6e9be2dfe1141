"""Records what a scoring service was asked and answered, and sends it to Leeway.

One file, standard library only, Python 3.9 or newer: copy it beside your scoring script. It has the calls of
`azureml-ai-monitoring`, so that moving over is the import::

    # from azureml.ai.monitoring import Collector
    from leeway_collector import Collector

    def init():
        global inputs_collector, outputs_collector
        inputs_collector = Collector(name="model_inputs", on_error=lambda e: logging.info("ex:%s", e))
        outputs_collector = Collector(name="model_outputs", on_error=lambda e: logging.info("ex:%s", e))

    def run(data):
        context = inputs_collector.collect(data)
        result = model.predict(data)
        outputs_collector.collect(result, context)

`collect` writes the rows down and returns. It does not wait for Leeway and does not raise: what goes wrong is given to
`on_error`, or logged. A thread sends the records, in batches, compressed, again until they are taken. What waits is
bounded; beyond it records are dropped and counted (`Collector.stats`).

Settings are arguments or environment variables:

    LEEWAY_URL            address of Leeway                                  http://127.0.0.1:8420
    LEEWAY_API_KEY        a key with the role ingest
    LEEWAY_MODEL          name of the model                                  "model"
    LEEWAY_MODEL_VERSION  version of the model
    LEEWAY_DEPLOYMENT     name of the deployment
    LEEWAY_OUTPUT_COLUMNS columns that are outputs in a collector of both, separated by commas
    LEEWAY_JOIN_SECONDS   how long inputs wait for their outputs             30
    LEEWAY_BATCH_SECONDS  how long a record waits for others                 1
    LEEWAY_BATCH_BYTES    JSON that is sent in one request, about            131072
    LEEWAY_MEMORY_BYTES   what may wait in memory                            16777216
    LEEWAY_EXIT_SECONDS   how long the end of the process waits for Leeway   5
"""

from __future__ import annotations

import atexit
import base64
import collections
import datetime
import decimal
import gzip
import hashlib
import http.client
import json
import logging
import math
import os
import random
import threading
import time
import urllib.parse
import uuid
from typing import Any, Callable, Deque, Dict, List, NamedTuple, Optional, Sequence, Tuple

__all__ = ["BasicCorrelationContext", "Collector", "CorrelationContext"]

_log = logging.getLogger("leeway")

#: The body itself is at fault. Anything else (a wrong key, a proxy's page) may be mended while the records wait.
_NEVER_TAKEN = frozenset([400, 413, 415, 422])
_FIRST_WAIT_SECONDS = 0.2
_LONGEST_WAIT_SECONDS = 10.0
_REQUEST_SECONDS = 30.0
#: A body that becomes many more times longer is taken for a bomb.
_DENSEST = 100
#: A failure that goes on is told about as often.
_TELL_EVERY_SECONDS = 60.0
#: Of an array within a value; a longer one is recorded as its shape and digest.
_LONGEST_ARRAY = 256


class CorrelationContext:
    """What joins the inputs and the outputs of one call."""

    def get_id(self) -> str:
        return ""

    def __str__(self) -> str:
        return self.get_id()

    def __repr__(self) -> str:
        return self.get_id()


class BasicCorrelationContext(CorrelationContext):
    """A call by its id, which has to be another for each call: it is the id of the record, and of its label."""

    def __init__(
        self,
        id: Optional[str] = None,  # noqa: A002 (the name that callers use)
        timestamp: Optional[int] = None,
        headers: Optional[Dict[str, str]] = None,
    ) -> None:
        self.id = str(id) if id else str(uuid.uuid4())
        self.timestamp = timestamp if timestamp else int(time.time())
        self.headers = headers if headers else {}
        self._message: Optional[str] = None
        self._dropped = False

    def get_id(self) -> str:
        return self.id

    def get_timestamp(self) -> int:
        return self.timestamp

    def get_headers(self) -> Dict[str, str]:
        return self.headers

    def is_success(self) -> bool:
        """Whether the last `collect` that returned it took its rows."""
        return self._message is None

    def get_message(self) -> str:
        return self._message or ""


class Collector:
    """Collects the rows of one kind.

    `name` says which: `model_inputs` and `model_outputs` (or `inputs`, `outputs`) are the two halves of one record, joined
    by the context that the first `collect` returns; `model_inputs_outputs` takes rows with both, of which `outputs` names
    the output columns. Any other name is collected as a model of its own, `<model>.<name>`.

    :param name: which rows these are.
    :param on_error: is given the exception when something could not be collected or sent, at times from another thread.
    """

    def __init__(
        self,
        *,
        name: str,
        on_error: Optional[Callable[[Exception], Any]] = None,
        outputs: Optional[Sequence[str]] = None,
        url: Optional[str] = None,
        api_key: Optional[str] = None,
        model: Optional[str] = None,
        version: Optional[str] = None,
        deployment: Optional[str] = None,
    ) -> None:
        self.name = name
        self._on_error = on_error
        self._drop_told_at = -math.inf
        self._kind = _kind_of(name)
        configured = os.environ.get("LEEWAY_OUTPUT_COLUMNS", "")
        named = configured.split(",") if outputs is None else outputs
        self._outputs = frozenset(column.strip() for column in named if column.strip())
        model = model or os.environ.get("LEEWAY_MODEL", "model")
        target = _Target(
            url=(url or os.environ.get("LEEWAY_URL", "http://127.0.0.1:8420")).rstrip("/"),
            api_key=api_key or os.environ.get("LEEWAY_API_KEY") or None,
            model=model if self._kind != "other" else f"{model}.{name}",
            version=version or os.environ.get("LEEWAY_MODEL_VERSION") or None,
            deployment=deployment or os.environ.get("LEEWAY_DEPLOYMENT") or None,
        )
        self._sender = _sender_for(target)
        self._sender.know(self._kind, self._tell)

    def collect(
        self, data: Any, correlation_context: Optional[CorrelationContext] = None
    ) -> CorrelationContext:
        """Records rows: a pandas DataFrame or Series, a NumPy array, a dict (one row) or a list of dicts. Never raises.

        :return: the context to give to the `collect` of the outputs, or a new one when none is given.
        """
        context: Any = correlation_context
        if not isinstance(context, CorrelationContext) and not callable(getattr(context, "get_id", None)):
            context = BasicCorrelationContext()
        if self._kind == "outputs" and getattr(context, "_dropped", False):
            return context  # outputs whose inputs found no room were counted with them
        message: Optional[str] = None
        dropped = False
        try:
            self._sender.take(self._kind, str(context.get_id()), self._halves(data))
        except Exception as error:  # noqa: BLE001 (scoring goes on, whatever it is)
            message = str(error) or type(error).__name__
            dropped = isinstance(error, MemoryError)
            self._tell(error)
        if isinstance(context, BasicCorrelationContext):
            context._message = message
            context._dropped = dropped
        return context

    @property
    def stats(self) -> Dict[str, int]:
        """Records of the model so far: captured = stored + duplicates + rejected + sampled_out + dropped + waiting."""
        return self._sender.stats()

    def flush(self, timeout: float = 10.0) -> bool:
        """Waits until all is sent, but no longer than `timeout` seconds; inputs wait no longer for their outputs."""
        return self._sender.flush(timeout)

    def _halves(self, data: Any) -> List[_Half]:
        rows = _rows_of(data, "output" if self._kind == "outputs" else "input")
        if self._kind == "outputs":
            return [_Half({}, row) for row in rows]
        if not self._outputs or self._kind == "inputs":
            return [_Half(row, {}) for row in rows]
        return [
            _Half(
                {name: value for name, value in row.items() if name not in self._outputs},
                {name: value for name, value in row.items() if name in self._outputs},
            )
            for row in rows
        ]

    def _tell(self, error: Exception) -> None:
        if isinstance(error, MemoryError):
            if time.monotonic() - self._drop_told_at < _TELL_EVERY_SECONDS:
                return  # the count tells of each
            self._drop_told_at = time.monotonic()
        if self._on_error is None:
            _log.warning("leeway: %s", error)
            return
        try:
            self._on_error(error)
        except Exception:  # noqa: BLE001
            _log.exception("leeway: on_error failed")


class _Half(NamedTuple):
    inputs: Dict[str, Any]
    outputs: Dict[str, Any]


class _Target(NamedTuple):
    url: str
    api_key: Optional[str]
    model: str
    version: Optional[str]
    deployment: Optional[str]


class _Pending(NamedTuple):
    """Inputs that wait for their outputs."""

    rows: List[_Half]
    taken_at: float
    until: float
    size: int


def _kind_of(name: str) -> str:
    plain = name.lower()
    if plain in ("inputs", "model_inputs"):
        return "inputs"
    if plain in ("outputs", "model_outputs"):
        return "outputs"
    return "both" if plain in ("inputs_outputs", "model_inputs_outputs") else "other"


class _Sender:
    """Holds the records of one model and sends them, in a thread that begins with the first record."""

    def __init__(self, target: _Target) -> None:
        self._target = target
        self._join_seconds = _number("LEEWAY_JOIN_SECONDS", 30.0)
        self._batch_seconds = _number("LEEWAY_BATCH_SECONDS", 1.0)
        self._batch_bytes = int(_number("LEEWAY_BATCH_BYTES", 128 * 1024))
        self._memory_bytes = int(_number("LEEWAY_MEMORY_BYTES", 16 * 1024 * 1024))
        self._kinds: set = set()
        self._listeners: List[Callable[[Exception], None]] = []
        self._told_at = -math.inf
        self._reset()

    def _reset(self) -> None:
        self._changed = threading.Condition()
        self._lines: Deque[bytes] = collections.deque()
        self._line_bytes = 0
        self._pending: "collections.OrderedDict[str, _Pending]" = collections.OrderedDict()
        self._pending_bytes = 0
        self._oldest_at = 0.0
        self._sending = 0
        self._hurry = False
        self._counts = dict.fromkeys(
            ["captured", "stored", "duplicates", "rejected", "sampled_out", "dropped", "failures"], 0
        )
        self._connection: Optional[http.client.HTTPConnection] = None
        self._thread: Optional[threading.Thread] = None

    def know(self, kind: str, listener: Callable[[Exception], None]) -> None:
        self._kinds.add(kind)
        self._listeners.append(listener)

    def take(self, kind: str, call: str, rows: List[_Half]) -> None:
        if not rows:
            return
        now = time.time()
        with self._changed:
            self._start()
            self._release_expired()
            waiting = self._pending.pop(call, None) if kind == "outputs" else None
            if waiting is not None:
                self._pending_bytes -= waiting.size
                self._counts["captured"] += max(0, len(rows) - len(waiting.rows))
                self._write(call, _joined(waiting.rows, rows), waiting.taken_at, (now - waiting.taken_at) * 1000)
            elif kind == "inputs" and "outputs" in self._kinds and call not in self._pending:
                self._counts["captured"] += len(rows)
                size = _size(rows)
                if self._held() + size > self._memory_bytes:
                    self._drop(len(rows))
                self._pending[call] = _Pending(rows, now, time.monotonic() + self._join_seconds, size)
                self._pending_bytes += size
            else:
                self._counts["captured"] += len(rows)
                self._write(call, rows, now, None)
            self._changed.notify_all()

    def stats(self) -> Dict[str, int]:
        with self._changed:
            return {**self._counts, "waiting": self._waiting()}

    def flush(self, timeout: float) -> bool:
        deadline = time.monotonic() + timeout
        with self._changed:
            for call in list(self._pending):
                self._release(call)
            self._hurry = True
            self._changed.notify_all()
            while self._waiting() > 0 and self._thread is not None:
                left = deadline - time.monotonic()
                if left <= 0:
                    break
                self._changed.wait(left)
            self._hurry = False
            return self._waiting() == 0

    def end(self) -> None:
        """What is not sent when the process ends is dropped, and said."""
        if self._thread is None:
            return
        if not self.flush(_number("LEEWAY_EXIT_SECONDS", 5.0)):
            with self._changed:
                left = self._waiting()
            url = self._target.url
            self._tell(RuntimeError(f"{left} records were not sent before the process ended: {url} does not take them"))

    # What follows is called with the lock held.

    def _waiting(self) -> int:
        return len(self._lines) + self._sending + sum(len(pending.rows) for pending in self._pending.values())

    def _held(self) -> int:
        return self._line_bytes + self._pending_bytes

    def _drop(self, records: int) -> None:
        self._counts["dropped"] += records
        raise MemoryError(f"{records} records were dropped: {self._memory_bytes} bytes wait already (LEEWAY_MEMORY_BYTES)")

    def _write(self, call: str, rows: List[_Half], taken_at: float, latency_ms: Optional[float]) -> None:
        stamp = datetime.datetime.fromtimestamp(taken_at, datetime.timezone.utc).isoformat()
        for place, row in enumerate(rows):
            record: Dict[str, Any] = {"id": call, "row": place, "time": stamp, "inputs": row.inputs, "outputs": row.outputs}
            if self._target.version:
                record["version"] = self._target.version
            if self._target.deployment:
                record["deployment"] = self._target.deployment
            if latency_ms is not None:
                record["latency_ms"] = round(latency_ms, 3)
            try:
                line = json.dumps(record, allow_nan=False).encode() + b"\n"
            except Exception:  # a number of thousands of digits, say
                self._counts["dropped"] += len(rows) - place
                raise
            if self._held() + len(line) > self._memory_bytes:
                self._drop(len(rows) - place)
            if not self._lines:
                self._oldest_at = time.monotonic()
            self._lines.append(line)
            self._line_bytes += len(line)

    def _release(self, call: str) -> None:
        pending = self._pending.pop(call)
        self._pending_bytes -= pending.size
        try:
            self._write(call, pending.rows, pending.taken_at, None)
        except Exception as error:  # noqa: BLE001 (counted, and the thread goes on)
            self._tell(error)

    def _release_expired(self) -> None:
        now = time.monotonic()
        while self._pending and next(iter(self._pending.values())).until <= now:
            self._release(next(iter(self._pending)))

    def _start(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name="leeway", daemon=True)
            self._thread.start()

    # What follows is the thread.

    def _run(self) -> None:
        wait_seconds = _FIRST_WAIT_SECONDS
        while True:
            with self._changed:
                batch = self._next_batch()
            try:
                retry_after = self._post(batch)
            except Exception as error:  # noqa: BLE001 (the next try may go well)
                retry_after = self._failed(str(error) or type(error).__name__)
            with self._changed:
                self._sending = 0
                if retry_after is None:
                    wait_seconds = _FIRST_WAIT_SECONDS
                    self._line_bytes -= sum(map(len, batch))
                else:
                    self._lines.extendleft(reversed(batch))
                self._changed.notify_all()
            if retry_after is not None:
                self._pause(min(retry_after or wait_seconds * (0.5 + random.random() / 2), _LONGEST_WAIT_SECONDS))
                wait_seconds = min(wait_seconds * 2, _LONGEST_WAIT_SECONDS)

    def _pause(self, seconds: float) -> None:
        """Waits before the next try; not as long when somebody waits for the end."""
        began = time.monotonic()
        with self._changed:
            while True:
                left = began + (min(seconds, _FIRST_WAIT_SECONDS) if self._hurry else seconds) - time.monotonic()
                if left <= 0:
                    return
                self._changed.wait(left)

    def _next_batch(self) -> List[bytes]:
        while True:
            self._release_expired()
            age = time.monotonic() - self._oldest_at
            due = self._hurry or self._line_bytes >= self._batch_bytes or age >= self._batch_seconds
            if self._lines and due:
                break
            self._changed.wait(max(0.01, self._batch_seconds - age) if self._lines else 1.0)
        batch: List[bytes] = []
        size = 0
        while self._lines and size < self._batch_bytes:
            batch.append(self._lines.popleft())
            size += len(batch[-1])
        self._sending = len(batch)
        return batch

    def _post(self, batch: List[bytes]) -> Optional[float]:
        """Sends a batch. Returns None when it is settled, else for how many seconds to wait (0: the server does not say)."""
        headers = {"content-type": "application/x-ndjson"}
        body = b"".join(batch)
        packed = gzip.compress(body, 1)
        if len(body) <= len(packed) * _DENSEST:
            body = packed
            headers["content-encoding"] = "gzip"
        if self._target.api_key:
            headers["authorization"] = f"Bearer {self._target.api_key}"
        response, text = self._request(body, headers)
        if response.status == 202:
            self._settled(json.loads(text))
            return None
        why = f"{response.status} {text[:300]}"
        if response.status in _NEVER_TAKEN:
            with self._changed:
                self._counts["rejected"] += len(batch)
            self._tell(ValueError(f"Leeway will not take {len(batch)} records: {why}"))
            return None
        return self._failed(why, _seconds(response.getheader("retry-after")))

    def _request(self, body: bytes, headers: Dict[str, str]) -> Tuple[http.client.HTTPResponse, str]:
        address = urllib.parse.urlsplit(self._target.url)
        path = f"{address.path}/v1/models/{urllib.parse.quote(self._target.model, safe='')}/records"
        while True:
            kept = self._connection is not None
            if self._connection is None:
                kind = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
                self._connection = kind(address.netloc, timeout=_REQUEST_SECONDS)
            try:
                self._connection.request("POST", path, body, headers)
                response = self._connection.getresponse()
                return response, response.read(1_000_000).decode("utf-8", "replace")
            except (http.client.HTTPException, OSError):
                self._close()
                if not kept:
                    raise  # else the server has closed it meanwhile, as it may

    def _settled(self, answer: Dict[str, Any]) -> None:
        with self._changed:
            for name in ("stored", "duplicates", "rejected", "sampled_out"):
                self._counts[name] += int(answer.get(name, 0))
        if answer["rejected"]:
            self._tell(ValueError(f"Leeway rejected {answer['rejected']} records: {answer['errors'][:1]}"))

    def _failed(self, why: str, retry_after: float = 0.0) -> float:
        self._close()
        with self._changed:
            self._counts["failures"] += 1
        if time.monotonic() - self._told_at > _TELL_EVERY_SECONDS:
            self._told_at = time.monotonic()
            self._tell(ConnectionError(f"{self._target.url} does not take records, which wait: {why}"))
        return retry_after

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _tell(self, error: Exception) -> None:
        for listener in self._listeners[:1]:
            listener(error)


_senders: Dict[_Target, _Sender] = {}
_senders_lock = threading.Lock()


def _sender_for(target: _Target) -> _Sender:
    with _senders_lock:
        if target not in _senders:
            _senders[target] = _Sender(target)
        return _senders[target]


@atexit.register
def _end() -> None:
    for sender in list(_senders.values()):
        sender.end()


def _joined(inputs: List[_Half], outputs: List[_Half]) -> List[_Half]:
    """Row by row; a row that only one side has stands alone."""
    nothing = _Half({}, {})
    return [
        _Half(
            (inputs[i] if i < len(inputs) else nothing).inputs,
            (outputs[i] if i < len(outputs) else nothing).outputs,
        )
        for i in range(max(len(inputs), len(outputs)))
    ]


def _rows_of(data: Any, column: str) -> List[Dict[str, Any]]:
    """Rows by column name. Values without one are `input` or `output`, with the place behind it where there are more."""
    if callable(getattr(data, "to_dicts", None)):  # a DataFrame of polars
        data = data.to_dicts()
    elif hasattr(data, "columns") and callable(getattr(data, "items", None)):  # of pandas
        columns = [(str(name), values.tolist()) for name, values in data.items()]
        names = [name for name, _ in columns]
        return [dict(zip(names, map(_plain, row))) for row in zip(*(values for _, values in columns))]
    elif isinstance(data, dict):
        data = [data]
    elif callable(getattr(data, "tolist", None)):  # an array, or a Series, which has a name
        column = str(getattr(data, "name", None) or column)
        data = data.tolist()
    if isinstance(data, (int, float)):
        data = [data]
    if not isinstance(data, (list, tuple)):
        raise TypeError(f"a DataFrame, an array, a dict or a list of dicts is collected, not {type(data).__name__}")
    return [_row_of(row, column) for row in data]


def _row_of(row: Any, column: str) -> Dict[str, Any]:
    if isinstance(row, dict):
        return _named(row)
    if isinstance(row, (list, tuple)):
        return {f"{column}_{place}": _plain(value) for place, value in enumerate(row)}
    return {column: _plain(row)}


def _named(row: Dict[Any, Any]) -> Dict[str, Any]:
    return {str(name): _plain(value) for name, value in row.items()}


def _plain(value: Any) -> Any:
    """The value as JSON has it: NaN, infinities, NaT and NA are nothing."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, dict):
        return _named(value)
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(item) for item in value]
    if type(value).__name__ in ("NaTType", "NAType"):
        return None
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, decimal.Decimal):
        return _plain(float(value))
    if isinstance(value, (bytes, bytearray, memoryview)):
        data = bytes(value)
        return base64.b64encode(data).decode() if len(data) <= _LONGEST_ARRAY else _digest(data, [len(data)])
    if getattr(value, "shape", None) == () and callable(getattr(value, "item", None)):  # a NumPy scalar
        return _plain(value.item())
    if callable(getattr(value, "tolist", None)):
        if getattr(value, "size", 0) > _LONGEST_ARRAY and callable(getattr(value, "tobytes", None)):
            return _digest(value.tobytes(), list(value.shape))
        return _plain(value.tolist())
    return str(value)


def _digest(data: bytes, shape: List[int]) -> Dict[str, Any]:
    return {"shape": shape, "sha256": hashlib.sha256(data).hexdigest()}


def _size(rows: List[_Half]) -> int:
    """About how many bytes rows take in memory."""
    sized = (str, list, dict)
    return sum(
        200 + sum(100 + (len(value) if isinstance(value, sized) else 0) for value in row.inputs.values())
        for row in rows
    )


def _seconds(header: Optional[str]) -> float:
    try:
        return max(0.0, float(header or 0))
    except ValueError:
        return 0.0


def _number(name: str, fallback: float) -> float:
    try:
        return float(os.environ.get(name, fallback))
    except ValueError:
        _log.warning("leeway: %s=%r is no number: %s is taken", name, os.environ.get(name), fallback)
        return fallback


def _forget_after_fork() -> None:
    """A forked worker begins anew: what its parent holds is the parent's to send."""
    global _senders_lock
    _senders_lock = threading.Lock()
    for sender in _senders.values():
        sender._reset()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)
