from goinst import hookimpl
from goinst_hooks import protocol, sign

PROTOCOL = protocol("hookfirst")


@hookimpl(tryfirst=True, specname="goinst_spans")
def with_another_name(spans):
    sign(spans, "first")
