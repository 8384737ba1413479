from goinst import hookimpl
from goinst_hooks import protocol

PROTOCOL = protocol("hookbadsummary")


@hookimpl
def goinst_summary(summary):
    summary.losses["mine"] = 1
