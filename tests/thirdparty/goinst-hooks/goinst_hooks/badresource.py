from goinst import hookimpl
from goinst_hooks import protocol, sign

PROTOCOL = protocol("hookbadresource")


@hookimpl
def goinst_resource(process):
    return [("team.name", "red")]


@hookimpl
def goinst_spans(spans):
    sign(spans, "bad resource")  # off with the other
