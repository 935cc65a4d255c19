"""The floor: what Python and the runtime's own client take before anybody's code."""


def handler(event, context):
    return {}
