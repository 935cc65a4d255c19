"""Tries an asset by itself: `python -I -S -B check.py FOLDER SERVICES MODULES`, each list with commas.

Run isolated, so that nothing but the folder and the standard library can be imported. It imports the functions' own
modules, then makes every call that the pruned models have, over HTTP, to a server that answers with success and with an
error, and finds the endpoints of every partition.
"""

from __future__ import annotations

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib import import_module
from threading import Thread
from typing import Any

HOME_REGIONS = ("us-east-1", "us-gov-west-1", "cn-northwest-1")


class Aws(BaseHTTPRequestHandler):
    """Answers as AWS JSON 1.1 does."""

    error = ""

    def do_POST(self) -> None:
        """One call."""
        self.rfile.read(int(self.headers["Content-Length"]))
        body = json.dumps({"__type": self.error, "message": "no"} if self.error else {}).encode()
        self.send_response(400 if self.error else 200)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing to say."""


def sample(shape: Any) -> Any:
    """Some value of a shape, with nothing in it that need not be."""
    if shape.type_name == "structure":
        return {name: sample(shape.members[name]) for name in shape.required_members}
    if shape.type_name == "list":
        return [sample(shape.member)] * shape.metadata.get("min", 1)
    values = {"string": "x" * shape.metadata.get("min", 1), "boolean": True, "map": {}, "timestamp": 0, "blob": b"x"}
    return values.get(shape.type_name, shape.metadata.get("min", 1))


def check(service: str, url: str) -> None:
    """Makes every call of a service."""
    import botocore.session
    from botocore.exceptions import ClientError

    session = botocore.session.get_session()
    client = session.create_client(service, region_name=HOME_REGIONS[0], endpoint_url=url)
    for method, name in client.meta.method_to_api_mapping.items():
        model = client.meta.service_model.operation_model(name)
        given = sample(model.input_shape) if model.input_shape else {}
        Aws.error = ""
        getattr(client, method)(**given)
        Aws.error = next((shape.error_code for shape in model.error_shapes), "AccessDeniedException")
        try:
            getattr(client, method)(**given)
        except ClientError as error:
            code = error.response["Error"]["Code"]
        else:
            code = "none"
        if code != Aws.error:
            sys.exit(f"{service} {name}: the error {Aws.error} came as {code}")
        for region in HOME_REGIONS:
            elsewhere = session.create_client(service, region_name=region)
            endpoint = elsewhere.generate_presigned_url(method, given)
            if not endpoint.startswith(f"https://{service}."):
                sys.exit(f"{service} in {region} is at {endpoint}")


def main() -> None:
    """Reads the command line. Raises whatever is wrong with the asset."""
    folder, services, modules = sys.argv[1:]
    sys.path.insert(0, folder)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]  # what whoever builds has configured: an endpoint, a profile
    os.environ |= {
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_DEFAULT_REGION": HOME_REGIONS[0],
        "AWS_ACCESS_KEY_ID": "check",
        "AWS_SECRET_ACCESS_KEY": "check",
    }
    os.environ |= {"POWERTOOLS_SERVICE_NAME": "check", "POWERTOOLS_METRICS_NAMESPACE": "check"}
    for module in modules.split(","):
        import_module(module)
    server = HTTPServer(("127.0.0.1", 0), Aws)
    Thread(target=server.serve_forever, daemon=True).start()
    for service in services.split(","):
        check(service, f"http://127.0.0.1:{server.server_port}")


if __name__ == "__main__":
    main()
