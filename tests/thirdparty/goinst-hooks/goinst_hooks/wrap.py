from goinst import hookimpl
from goinst_hooks import protocol, sign

PROTOCOL = protocol("hookwrap")


@hookimpl(wrapper=True)
def goinst_spans(spans):
    sign(spans, "wrap before")
    result = yield
    sign(spans, "wrap after")
    return result
