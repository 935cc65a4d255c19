"""What one would write in an afternoon: every pending invitation from an organization that a parameter names."""

import json
import os

import boto3

PARAMETER = os.environ.get("ALLOWLIST", "/plain/allowlist")

organizations = boto3.client("organizations")
ssm = boto3.client("ssm")


def handler(event, context):
    allowed = json.loads(ssm.get_parameter(Name=PARAMETER)["Parameter"]["Value"])
    accepted, left = [], []
    for handshake in pending():
        if organization_of(handshake) in allowed:
            organizations.accept_handshake(HandshakeId=handshake["Id"])
            accepted.append(handshake["Id"])
        else:
            left.append(handshake["Id"])
    print(json.dumps({"accepted": accepted, "left": left}))
    return {"accepted": accepted}


def pending():
    pages = organizations.get_paginator("list_handshakes_for_account").paginate()
    for page in pages:
        for handshake in page["Handshakes"]:
            if handshake["State"] in ("REQUESTED", "OPEN"):
                yield handshake


def organization_of(handshake):
    for party in handshake["Parties"]:
        if party["Type"] == "ORGANIZATION":
            return party["Id"]
    return None
