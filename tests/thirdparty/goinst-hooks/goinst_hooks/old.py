from goinst import hookimpl
from goinst_hooks import protocol, sign

PROTOCOL = protocol("hookold")


@hookimpl(hookwrapper=True, trylast=True)
def goinst_spans(spans):
    sign(spans, "old before")
    outcome = yield
    assert outcome.get_result() == []
    sign(spans, "old after")
