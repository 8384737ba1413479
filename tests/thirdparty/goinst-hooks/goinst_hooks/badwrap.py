from goinst import hookimpl
from goinst_hooks import protocol, sign

PROTOCOL = protocol("hookbadwrap")


@hookimpl(wrapper=True)
def goinst_spans(spans):
    sign(spans, "badwrap")
    yield
    raise ValueError("behind\nthe others")
