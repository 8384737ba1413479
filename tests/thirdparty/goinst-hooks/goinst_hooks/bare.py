from goinst import hookimpl
from goinst_hooks import protocol

PROTOCOL = protocol("hookbare")
calls = []


@hookimpl
def goinst_spans():
    calls.append(1)
