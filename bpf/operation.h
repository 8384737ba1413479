/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Operations: what a goroutine is doing, one inside the other.
 *
 * The entry of a goroutine's level is used again for its next operation; it is written in place, never copied, until
 * it goes to the ring buffer whole. A panic or runtime.Goexit leaves frames without their RET, so an operation can
 * stay open that is long gone: it is known by its depth. A frame that lies as deep as the new one, or deeper, has
 * been left.
 */

#define GOINST_LEVELS 4
#define GOINST_OPEN 1
#define GOINST_ENDED 2

struct goinst_operation_key {
    u64 g;
    u32 tgid;
    u32 level;
};

/* sent as it is: events/record.py has the same layout */
struct goinst_operation {
    struct goinst_record head;
    u64 trace_high;
    u64 trace_low;
    u64 parent_id;
    u64 start; /* CLOCK_MONOTONIC, ns */
    u64 end;
    u64 goid;
    u32 depth;
    u8 state;
    u8 level;
    u8 nested; /* an operation was begun on top of this one */
    u8 reused; /* payload is what the last operation of the same record on the same goroutine left */
    u64 facts; /* bit n: a record of type n was sent for this operation */
    u64 payload[GOINST_PAYLOAD_WORDS];
};

BPF_TABLE("lru_hash", struct goinst_operation_key, struct goinst_operation, goinst_operations, 16384);
/* an all-zero value to make new entries from: it is too large for the stack */
BPF_ARRAY(goinst_blank, struct goinst_operation, 1);

static __always_inline struct goinst_operation *goinst_operation_make(struct goinst_operation_key *key)
{
    u32 zero = 0;
    struct goinst_operation *blank = goinst_blank.lookup(&zero);
    if (!blank)
        return 0;
    if (goinst_operations.update(key, blank) != 0) {
        LOSS(operation_map_full);
        return 0;
    }
    return goinst_operations.lookup(key);
}

/* Begins an operation of record `type` on the goroutine of the hit, as the child of the innermost one that is still
 * open there. NULL (and counted) when the goroutine is not known or the nesting too deep. */
static __always_inline struct goinst_operation *goinst_operation_begin(struct goinst_hit *hit, u16 type)
{
    struct goinst_operation *parent = 0, *op = 0, *slot = 0;
    struct goinst_operation_key key = {};
    u64 goid, depth;

    if (!hit->g) {
        LOSS(goroutine_unknown);
        return 0;
    }
    goid = goinst_goid(hit);
    depth = goinst_depth(hit);
    key.g = hit->g;
    key.tgid = hit->tgid;
#pragma unroll
    for (u32 level = 0; level < GOINST_LEVELS; level++) {
        key.level = level;
        op = goinst_operations.lookup(&key);
        if (!op) {
            slot = goinst_operation_make(&key);
            if (!slot)
                return 0;
            break;
        }
        if (op->state != GOINST_OPEN || op->goid != goid || op->depth >= depth ||
            (parent && op->parent_id != parent->head.span_id)) {
            slot = op;
            break;
        }
        parent = op;
    }
    if (!slot) {
        LOSS(nesting_too_deep);
        return 0;
    }
    slot->reused = slot->head.type == type && slot->goid == goid;
    slot->head.type = type;
    slot->head.flags = 0;
    slot->head.tgid = hit->tgid;
    slot->head.span_id = goinst_random_id();
    slot->goid = goid;
    slot->depth = depth;
    slot->level = key.level;
    slot->nested = 0;
    slot->facts = 0;
    slot->end = 0;
    if (parent) {
        parent->nested = 1;
        slot->trace_high = parent->trace_high;
        slot->trace_low = parent->trace_low;
        slot->parent_id = parent->head.span_id;
    } else {
        slot->trace_high = goinst_random_id();
        slot->trace_low = goinst_random_id();
        slot->parent_id = 0;
    }
    slot->state = GOINST_OPEN;
    slot->start = bpf_ktime_get_ns();
    return slot;
}

/* The innermost open operation of record `type` on the goroutine of the hit; of any record when type is 0. */
static __always_inline struct goinst_operation *goinst_operation_find(const struct goinst_hit *hit, u16 type)
{
    struct goinst_operation *found = 0, *op;
    struct goinst_operation_key key = {};

    key.g = hit->g;
    key.tgid = hit->tgid;
#pragma unroll
    for (u32 level = 0; level < GOINST_LEVELS; level++) {
        key.level = level;
        op = goinst_operations.lookup(&key);
        if (!op)
            break;
        if (op->state == GOINST_OPEN && (type == 0 || op->head.type == type))
            found = op;
        if (!op->nested)
            break;
    }
    return found;
}

/* Ends the operation and sends it with the first `size` bytes of its payload; `full` is the counter for a full ring. */
static __always_inline void goinst_operation_end(struct goinst_operation *op, u64 size, u32 full)
{
    op->end = bpf_ktime_get_ns();
    op->state = GOINST_ENDED;
    size += offsetof(struct goinst_operation, payload);
    if (size > sizeof(*op))
        size = sizeof(*op);
    asm volatile("" : "+r"(size));
    if (size > sizeof(*op))
        return;
    /* Twice: since Linux 6.15 the ring's lock may be refused although there is room (kernel/bpf/rqspinlock.c). */
    if (goinst_events.ringbuf_output(op, size, BPF_RB_NO_WAKEUP) != 0 &&
        goinst_events.ringbuf_output(op, size, BPF_RB_NO_WAKEUP) != 0)
        goinst_count(full);
}
