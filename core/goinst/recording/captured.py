"""Records of captures, replayed: their decoders are made from the types of the binary that was traced."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from goinst.cache import Cache
from goinst.capture.expand import expand, smaller
from goinst.errors import BinaryError, PluginError
from goinst.native.facts import open_facts
from goinst.plan.packages import views
from goinst.plugin.protocol import Protocol, Record
from goinst.recording.frame import columns_of

__all__ = ["captured_records"]


def captured_records(protocol: Protocol, frame: Mapping[str, Any]) -> dict[str, Record[Any]]:
    """What a protocol's captures came to when a source was recorded, by name of the record.

    PluginError when the binary is no longer there as it was: a recording does not hold its types.
    """
    wanted = {each["record"]: columns_of(each) for each in frame["layouts"] if each["plugin"] == protocol.name}
    path = str(frame["executable"])
    try:
        facts = open_facts(path, cache=Cache.default())
    except BinaryError as error:
        raise PluginError(
            protocol.name, f"its captures are read by the types of {path}, as recorded: {error}"
        ) from None
    if facts.info.build_id != frame["binary"].get("build_id"):
        raise PluginError(protocol.name, f"its captures are read by the types of {path}, and that is another build now")
    seen = views(facts, (protocol,))  # packages may have other paths there than the plugin declares
    tried: Protocol | None = protocol
    while tried is not None:  # less was taken when the verifier found a program too large
        for view in seen:
            records = {record.name: record for record in expand(tried, view.renamed).protocol.records}
            if _fit(wanted, records):
                return records
        tried = smaller(tried)
    raise PluginError(protocol.name, f"its captures in {path} are not those that were recorded: they are left out")


def _fit(wanted: Mapping[str, Sequence[Any]], records: Mapping[str, Record[Any]]) -> bool:
    found = {name: [(one.name, one.type, one.size) for one in record.columns] for name, record in records.items()}
    return all(
        found.get(name) == [(one.name, one.type, one.size) for one in columns] for name, columns in wanted.items()
    )
