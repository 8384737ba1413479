"""The C of a record: its struct, and the functions by which a fragment fills and sends it."""

from __future__ import annotations

from goinst.plugin.layout import Layout

__all__ = ["operation_text", "record_text"]

# a fact has nothing to be added to when spans are only counted
_NO_FACTS = "#ifdef GOINST_COUNT_ONLY\n    return 0;\n#endif"


def operation_text(layout: Layout, full: int, busy: int, begun: int, done: int) -> str:
    """Of an operation. The numbers are counters: of those that a full or a busy ring did not take, of all that began,
    and of all that ended."""
    name = layout.record.name
    return f"""struct {name} {{
{layout.members}
}} __attribute__((aligned(8)));
static __always_inline struct {name} *{name}_begin(struct goinst_hit *hit)
{{
    struct goinst_operation *op = goinst_operation_begin(hit, {layout.type}, {int(layout.record.kind != "server")});
    if (op)
        goinst_count({begun});
    return op ? (struct {name} *)op->payload : 0;
}}
static __always_inline struct {name} *{name}_current(struct goinst_hit *hit)
{{
    struct goinst_operation *op = goinst_operation_find(hit, {layout.type});
    return op ? (struct {name} *)op->payload : 0;
}}
static __always_inline struct {name} *{name}_origin(struct goinst_hit *hit)
{{
    struct goinst_operation *op = goinst_operation_origin(hit);
    return op && op->head.type == {layout.type} ? (struct {name} *)op->payload : 0;
}}
static __always_inline struct {name} *{name}_last(struct goinst_hit *hit)
{{
    struct goinst_operation *op = goinst_operation_last(hit, {layout.type});
    return op ? (struct {name} *)op->payload : 0;
}}
static __always_inline struct {name} *{name}_begin_keyed(struct goinst_hit *hit, u64 address, u32 number)
{{
    struct goinst_operation *op = goinst_operation_begin_keyed(
        hit, {layout.type}, {int(layout.record.kind != "server")}, address, number);
    if (op)
        goinst_count({begun});
    return op ? (struct {name} *)op->payload : 0;
}}
static __always_inline struct {name} *{name}_find_keyed(struct goinst_hit *hit, u64 address, u32 number)
{{
    struct goinst_operation *op = goinst_operation_find_keyed(hit, {layout.type}, address, number);
    return op ? (struct {name} *)op->payload : 0;
}}
static __always_inline void {name}_forget_keyed(struct goinst_hit *hit, u64 address, u32 number)
{{
    goinst_operation_forget(hit, address, number);
}}
static __always_inline struct goinst_operation *{name}_operation(struct {name} *record)
{{
    return (void *)record - offsetof(struct goinst_operation, payload);
}}
static __always_inline void {name}_end(struct {name} *record, u64 last)
{{
    if (last > sizeof(record->{layout.last}))
        last = sizeof(record->{layout.last});
    goinst_operation_end({name}_operation(record), offsetof(struct {name}, {layout.last}) + last,
                         {full}, {busy}, {done});
}}"""


def record_text(layout: Layout, full: int, busy: int) -> str:
    """Of a fact, or of a span by itself."""
    name, kind = layout.record.name, layout.record.role
    return f"""struct {name} {{
    struct goinst_record goinst;
{layout.members}
}} __attribute__((aligned(8)));
static __always_inline struct {name} *{name}_reserve(struct goinst_operation *op, struct goinst_hit *hit)
{{
    struct {name} *record;
{_NO_FACTS if kind == "fact" else ""}
    if (op && goinst_operation_left_out(op))
        return 0;
    record = goinst_events.ringbuf_reserve(sizeof(struct {name}));
    if (!record) {{ /* twice: as in goinst_operation_end */
        u32 why = goinst_ring_has(sizeof(struct {name})) ? {busy} : {full};

        record = goinst_events.ringbuf_reserve(sizeof(struct {name}));
        if (!record) {{
            goinst_count(why);
            return 0;
        }}
    }}
    record->goinst.type = {layout.type};
    record->goinst.flags = 0;
    record->goinst.tgid = hit->tgid;
    record->goinst.span_id = op ? op->head.span_id : 0;
    if (op)
        op->facts |= 1UL << ({layout.type} & 63);
    return record;
}}
static __always_inline int {name}_sent(struct goinst_operation *op)
{{
    return op && (op->facts & 1UL << ({layout.type} & 63)) != 0;
}}
static __always_inline void {name}_submit(struct {name} *record)
{{
    goinst_events.ringbuf_submit(record, BPF_RB_NO_WAKEUP);
}}
static __always_inline void {name}_discard(struct {name} *record)
{{
    goinst_events.ringbuf_discard(record, BPF_RB_NO_WAKEUP);
}}"""
