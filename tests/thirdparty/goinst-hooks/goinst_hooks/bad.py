from goinst import hookimpl
from goinst_hooks import protocol, sign

PROTOCOL = protocol("hookbad")


@hookimpl
def goinst_spans(spans):
    sign(spans, "bad")
    raise KeyError("bad")
