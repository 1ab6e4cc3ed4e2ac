"""fal's API, scripted: https://docs.fal.ai/model-apis/model-endpoints/queue

All of fal's hosts at once, as a provider's `base_url` replaces scheme and host of a target. A queued request is
IN_QUEUE when first asked for, then IN_PROGRESS, then COMPLETED. The addresses in its answers are fal's own.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tests.vendors.server import LEAK, Answer, Arrived, Vendor, as_json, sse

UNITS = "1.5"
APP = "fal-ai/flux"  # with a sub-path, `fal-ai/flux/dev`, which the queue's addresses drop
RESULT: dict[str, Any] = {
    "images": [{"url": "https://v3.fal.media/files/a/b.png", "width": 512, "height": 512}],
    "seed": 42,
}
UPLOAD = {"upload_url": "https://v3.fal.media/upload/1", "file_url": "https://v3.fal.media/files/a/1.png"}
STAGES = ["IN_QUEUE", "IN_PROGRESS", "COMPLETED"]


@dataclass
class Fal(Vendor):
    """`queued`: a POST to a model goes into the queue, as at queue.fal.run, and is not run at once, as at fal.run."""

    queued: bool = False
    asked: Counter[str] = field(default_factory=Counter)
    cancelled: list[str] = field(default_factory=list)
    inputs: dict[str, dict[str, Any]] = field(default_factory=dict)

    def key_in(self, arrived: Arrived) -> str:
        return arrived.headers.get("authorization", "").removeprefix("Key ")

    def error(self, status: int, message: str) -> Answer:
        if status == 401:
            return as_json({"detail": "Unauthorized"}, 401)
        kinds = {400: "bad_request", 503: "runner_scheduling_failure", 504: "request_timeout"}
        kind = kinds.get(status, "internal_error")
        return as_json({"detail": f"{LEAK}: {message}", "error_type": kind}, status, x_fal_error_type=kind)

    def post(self, arrived: Arrived, app: str) -> Answer:
        if fault := self.fault(app.rpartition("/")[2]):
            return fault
        return self.submit(arrived, app) if self.queued else self._result(arrived.json)

    def submit(self, arrived: Arrived, app: str) -> Answer:
        request_id = f"req-{len(self.inputs) + 1}"
        self.inputs[request_id] = arrived.json
        base = f"https://queue.fal.run/{'/'.join(app.split('/')[:2])}/requests/{request_id}"
        urls = {"response_url": base, "status_url": f"{base}/status", "cancel_url": f"{base}/cancel"}
        return as_json({"status": "IN_QUEUE", "request_id": request_id, "queue_position": 0, **urls})

    def status(self, arrived: Arrived, app: str, request_id: str) -> Answer:
        if request_id not in self.inputs:
            return self.error(404, "Request not found")
        stage = STAGES[min(self.asked[request_id], len(STAGES) - 1)]
        self.asked[request_id] += 1
        base = f"https://queue.fal.run/{app}/requests/{request_id}"
        body: dict[str, Any] = {"status": stage, "request_id": request_id, "response_url": base, "logs": []}
        body |= {"queue_position": 0} if stage == "IN_QUEUE" else {"metrics": {"inference_time": 0.7}}
        return as_json(body, 200 if stage == "COMPLETED" else 202)

    def result(self, arrived: Arrived, app: str, request_id: str) -> Answer:
        if request_id not in self.inputs:
            return self.error(404, "Request not found")
        return self._result(self.inputs[request_id])

    def cancel(self, arrived: Arrived, app: str, request_id: str) -> Answer:
        if request_id not in self.inputs:
            return self.error(404, "Request not found")
        self.cancelled.append(request_id)
        return as_json({"status": "CANCELLATION_REQUESTED"}, 202)

    def stream(self, arrived: Arrived, app: str) -> Answer:
        pieces = [sse({"progress": 1}), sse({"progress": 2}), sse(RESULT)]
        return Answer(kind="text/event-stream", pieces=pieces, headers={"x-fal-billable-units": UNITS})

    def initiate(self, arrived: Arrived) -> Answer:
        return as_json(UPLOAD)

    def prices(self, arrived: Arrived) -> Answer:
        return as_json({"prices": [{"endpoint_id": APP, "unit_price": 0.025, "unit": "images", "currency": "USD"}]})

    def _result(self, wanted: dict[str, Any]) -> Answer:
        """A model refuses an input without `prompt`, in the shape of models, not of the platform."""
        if "prompt" in wanted:
            pictures = RESULT["images"] * wanted.get("num_images", 1)
            return as_json({**RESULT, "images": pictures}, x_fal_billable_units=UNITS)
        unset = {"loc": ["body", "prompt"], "msg": "Field required", "type": "missing", "input": wanted}
        return as_json({"detail": [unset]}, 422, x_fal_retryable="false")

    headers = {"x-fal-request-id": "req-1"}
    routes = {
        "GET /v1/models/pricing": prices,
        "POST /storage/upload/initiate": initiate,
        "GET /([^/]+/[^/]+)/requests/([^/]+)/status": status,
        "GET /([^/]+/[^/]+)/requests/([^/]+)": result,
        "PUT /([^/]+/[^/]+)/requests/([^/]+)/cancel": cancel,
        "POST /([^/]+/.+)/stream": stream,
        "POST /([^/]+/.+)": post,
    }
