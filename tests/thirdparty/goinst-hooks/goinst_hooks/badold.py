from goinst import hookimpl
from goinst_hooks import protocol

PROTOCOL = protocol("hookbadold")


@hookimpl(hookwrapper=True)
def goinst_spans(spans):
    outcome = yield
    outcome.force_exception(OSError("by force"))
