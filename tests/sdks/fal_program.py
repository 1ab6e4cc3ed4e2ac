"""A program that uses the `fal-client` package (https://pypi.org/project/fal-client/) as its documentation shows.

It is a process of its own, since the client reads its addresses from the environment when it is imported.
Arguments: what to do, the application, the input as JSON. It prints what came, or the error, as JSON.
"""

import json
import sys
from collections.abc import Callable
from typing import Any

import fal_client


def queue(application: str, arguments: dict[str, Any]) -> Any:
    """From the queue to the result."""
    handle = fal_client.submit(application, arguments)
    states = [type(state).__name__ for state in handle.iter_events(with_logs=True, interval=0.02)]
    urls = [handle.response_url, handle.status_url, handle.cancel_url]
    return {"states": states, "urls": urls, "result": handle.get(interval=0.02)}


def cancel(application: str, arguments: dict[str, Any]) -> Any:
    handle = fal_client.submit(application, arguments)
    handle.cancel()
    return handle.request_id


ACTIONS: dict[str, Callable[[str, Any], Any]] = {
    "run": fal_client.run,
    "subscribe": fal_client.subscribe,
    "stream": lambda application, arguments: list(fal_client.stream(application, arguments)),
    "queue": queue,
    "cancel": cancel,
}


def main(action: str, application: str, arguments: str) -> None:
    try:
        done = {"done": ACTIONS[action](application, json.loads(arguments))}
    except Exception as error:
        response = getattr(error, "response", None)
        status = response.status_code if response is not None else None
        done = {"error": type(error).__name__, "status": status, "headers": dict(response.headers) if response else {}}
    sys.stdout.write(json.dumps(done))


if __name__ == "__main__":
    main(*sys.argv[1:])
