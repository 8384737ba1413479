/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Operations: what a goroutine is doing, one inside the other.
 *
 * The entry of a goroutine's level is used again for its next operation; it is written in place, never copied, until
 * it goes to the ring buffer whole. A panic or runtime.Goexit leaves frames without their RET, so an operation can
 * stay open that is long gone: it is known by its depth. A frame that lies as deep as the new one, or deeper, has
 * been left.
 */

#define GOINST_LEVELS 4
/* head.flags of an operation; run/partial.py has LEFT_OUT */
#define GOINST_UNSAMPLED 1 /* the trace's sampled flag is off */
#define GOINST_REMOTE 2    /* the caller's trace was taken over */
#define GOINST_LEFT_OUT 4  /* by --sample: nothing of it is sent */
#define GOINST_DECIDED 8
#define GOINST_OPEN 1
#define GOINST_ENDED 2

struct goinst_operation_key {
    u64 g;
    u32 tgid;
    u32 level;
};

/* sent as it is: plugin/layout.py has the same layout */
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

#ifdef GOINST_SAMPLE_RATE
struct goinst_second {
    u64 number;
    u64 kept;
};
BPF_ARRAY(goinst_seconds, struct goinst_second, 1);
#endif

/* Whether anything of an operation is sent: decided once for each trace in a process, at the first time that it
 * matters, so that a context that came in is known by then. What the caller decided is kept (W3C Trace Context, the
 * sampled flag); else the trace's id decides, in the same way wherever it is looked at (the 56 random bits of Trace
 * Context level 2, section 5.1.4), or how many traces were begun in this second. */
static __always_inline int goinst_operation_left_out(struct goinst_operation *op)
{
#ifdef GOINST_SAMPLE
    u32 zero = 0;

    if (op->head.flags & GOINST_DECIDED)
        return (op->head.flags & GOINST_LEFT_OUT) != 0;
    op->head.flags |= GOINST_DECIDED;
    if (op->head.flags & GOINST_REMOTE) {
        if (!(op->head.flags & GOINST_UNSAMPLED))
            return 0;
    } else {
#if defined(GOINST_SAMPLE_RATIO)
        if ((op->trace_low & 0xffffffffffffffUL) >= GOINST_SAMPLE_RATIO)
            return 0;
#elif defined(GOINST_SAMPLE_RATE)
        struct goinst_second *second = goinst_seconds.lookup(&zero);
        u64 now = bpf_ktime_get_ns() / 1000000000;

        if (second) {
            if (second->number != now) {
                second->number = now;
                second->kept = 0;
            }
            now = second->kept; /* what the addition returns cannot be had before Linux 5.12; a few more may pass */
            __sync_fetch_and_add(&second->kept, 1);
            if (now < GOINST_SAMPLE_RATE)
                return 0;
        }
#else
        return 0;
#endif
    }
    op->head.flags |= GOINST_LEFT_OUT | GOINST_UNSAMPLED;
    return 1;
#else
    return 0;
#endif
}

/* What an operation has of the one that it is part of. */
static __always_inline u16 goinst_operation_inherited(struct goinst_operation *parent)
{
    goinst_operation_left_out(parent);
    return parent->head.flags & (GOINST_UNSAMPLED | GOINST_LEFT_OUT | GOINST_DECIDED);
}

/* Which operation a goroutine was started in: bpf/lineage.bpf.c writes it, when a goroutine is made. What it starts is
 * started in that operation, too. */
struct goinst_goroutine_key {
    u64 g;
    u64 tgid;
};
struct goinst_ancestor {
    u64 g;
    u64 span_id;
    u32 level;
    u32 shared; /* it, or one that it descends from, takes work from others */
    u64 parent; /* goid of the goroutine that started it */
};
BPF_TABLE("lru_hash", struct goinst_goroutine_key, struct goinst_ancestor, goinst_lineage, 16384);

static __always_inline struct goinst_operation *goinst_operation_of(const struct goinst_ancestor *ancestor, u32 tgid)
{
    struct goinst_operation_key where = {};
    struct goinst_operation *op;

    where.g = ancestor->g;
    where.tgid = tgid;
    where.level = ancestor->level;
    op = goinst_operations.lookup(&where);
    return op && op->head.span_id == ancestor->span_id ? op : 0;
}

static __always_inline struct goinst_ancestor *goinst_ancestor_of(const struct goinst_hit *hit)
{
    struct goinst_goroutine_key key = {.g = hit->g, .tgid = hit->tgid};
    struct goinst_ancestor *ancestor = goinst_lineage.lookup(&key);

#ifdef GOINST_G_PARENT
    /* before Linux 6.0 a probe is passed over once in a while: then this is of another goroutine that had the g before */
    if (ancestor && go_word(hit->g + GOINST_G_PARENT) != ancestor->parent)
        return 0;
#endif
    return ancestor;
}

/* The operation that the goroutine of the hit was started in, open or ended. */
static __always_inline struct goinst_operation *goinst_operation_origin(const struct goinst_hit *hit)
{
    struct goinst_ancestor *ancestor = goinst_ancestor_of(hit);

    return ancestor ? goinst_operation_of(ancestor, hit->tgid) : 0;
}

#ifdef GOINST_T_CONTEXT
/* Which operation a context.Context was made for: by the address of it, or of one that it is derived from. */
struct goinst_context {
    u64 context;
    struct goinst_ancestor of;
};
BPF_TABLE("lru_hash", struct goinst_goroutine_key, struct goinst_context, goinst_contexts, 16384);
#define GOINST_CONTEXTS 24 /* contexts that one is derived from */

/* Whether a word is an itab of context.Context (runtime.itab.inter). */
static __always_inline int goinst_is_context(u64 word)
{
    return word && go_type_hash(go_word(word)) == GOINST_T_CONTEXT;
}

/* The open operation that the hit's context was made for, or one that it is derived from. Contexts that are made of
 * another one have it as their first member, those of package context (context/context.go, Go 1.16 to 1.27) and others;
 * or a pointer to one of them, as context.timerCtx of Go 1.20. */
static __always_inline struct goinst_operation *goinst_operation_asked(const struct goinst_hit *hit)
{
    struct goinst_goroutine_key key = {.g = hit->context, .tgid = hit->tgid};
    struct goinst_operation *op;
    struct goinst_context *found;
    u64 pair[2], before = 0;

#pragma clang loop unroll(disable)
    for (u32 i = 0; i < GOINST_CONTEXTS; i++) {
        if (!key.g)
            break;
        found = goinst_contexts.lookup(&key);
        if (found && (found->context == key.g || found->context == before)) {
            op = goinst_operation_of(&found->of, hit->tgid);
            if (op && op->state == GOINST_OPEN)
                return op;
        }
        pair[0] = pair[1] = 0;
        bpf_probe_read_user(pair, sizeof(pair), (void *)key.g);
        before = key.g;
        if (goinst_is_context(pair[0]))
            key.g = pair[1];
        else if (pair[0] && goinst_is_context(go_word(pair[0])))
            key.g = pair[0];
        else
            break;
    }
    return 0;
}
#endif

/* Makes calls with a context, or with one that is derived from it, part of an operation that has just begun on this
 * goroutine, whoever makes them. `context` is the data word of a context.Context that is no other operation's; `known` is
 * that, or of the one that it was made of, if that is this goroutine's alone: an entry for each connection costs less
 * than one for each request. */
static __always_inline void goinst_operation_context(const struct goinst_operation *op, const struct goinst_hit *hit,
                                                     u64 known, u64 context)
{
#ifdef GOINST_T_CONTEXT
    struct goinst_goroutine_key key = {.g = known, .tgid = hit->tgid};
    struct goinst_context entry = {.context = context}, *there = goinst_contexts.lookup(&key);

    entry.of.g = hit->g;
    entry.of.span_id = op->head.span_id;
    entry.of.level = op->level;
    if (there)
        *there = entry; /* whoever reads half of it finds no operation that has both g and span id */
    else if (known)
        goinst_contexts.update(&key, &entry);
#endif
}

/* The operation that the goroutine of the hit works for. If the call's context was made for one that is open, it is
 * that: the program says so itself. Else the one that the goroutine was started in, if that is still open and if the
 * goroutine takes no work from others. A pool's worker, and what outlives the request that started it, works for others
 * later, and nobody knows for whom. */
static __always_inline struct goinst_operation *goinst_operation_ancestor(const struct goinst_hit *hit)
{
    struct goinst_ancestor *ancestor;
    struct goinst_operation *op;

#ifdef GOINST_T_CONTEXT
    op = goinst_operation_asked(hit);
    if (op)
        return op;
#endif
    ancestor = goinst_ancestor_of(hit);
    if (!ancestor)
        return 0;
    op = goinst_operation_of(ancestor, hit->tgid);
    if (!op || op->state != GOINST_OPEN)
        return 0;
    if (ancestor->shared) {
        NOTE(parent_unknown);
        return 0;
    }
    return op;
}

/* An entry is taken for another operation: one that is open in it has been left, by a panic, by runtime.Goexit or in a
 * way that no probe saw, and there will be no span of it. */
static __always_inline void goinst_operation_replace(const struct goinst_operation *op)
{
    if (op->state != GOINST_OPEN)
        return;
    if (op->head.flags & GOINST_LEFT_OUT)
        GONE(left_out_unseen);
    else
        LOSS(end_unseen);
}

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

/* Puts an operation that has just begun into its parent's trace, or into one of its own. */
static __always_inline void goinst_operation_under(struct goinst_operation *op, struct goinst_operation *parent)
{
    if (parent) {
        op->head.flags = goinst_operation_inherited(parent);
        op->trace_high = parent->trace_high;
        op->trace_low = parent->trace_low;
        op->parent_id = parent->head.span_id;
    } else {
        op->head.flags = 0;
        op->trace_high = goinst_random_id();
        op->trace_low = goinst_random_id();
        op->parent_id = 0;
    }
}

/* Begins an operation of record `type` on the goroutine of the hit, as the child of the innermost one that is still
 * open there, or, with `inherit`, of the one that the goroutine was started in (never for servers: what a request's
 * goroutine starts to serve others is not part of the request). NULL (and counted) when the goroutine is not known or
 * the nesting too deep. */
static __always_inline struct goinst_operation *goinst_operation_begin(struct goinst_hit *hit, u16 type, int inherit)
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
#pragma clang loop unroll(disable) /* LLVM would take twice as long to compile */
    for (u32 level = 0; level < GOINST_LEVELS; level++) {
        key.level = level;
        op = goinst_operations.lookup(&key);
        if (!op) {
            slot = goinst_operation_make(&key);
            if (!slot)
                return 0;
            break;
        }
        if (op->state != GOINST_OPEN || op->goid != goid || GOINST_AS_DEEP(op->depth, depth) ||
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
    goinst_operation_replace(slot);
    if (!parent && inherit)
        parent = goinst_operation_ancestor(hit);
    slot->reused = slot->head.type == type && slot->goid == goid;
    slot->head.type = type;
    slot->head.tgid = hit->tgid;
    slot->head.span_id = goinst_random_id();
    slot->goid = goid;
    slot->depth = depth;
    slot->level = key.level;
    slot->nested = 0;
    slot->facts = 0;
    slot->end = 0;
    if (parent)
        parent->nested = 1; /* true for the levels of this goroutine; a spare look-up for those of another */
    goinst_operation_under(slot, parent);
    slot->state = GOINST_OPEN;
    slot->start = bpf_ktime_get_ns();
    if (inherit) /* no caller's context can come in any more */
        goinst_operation_left_out(slot);
    return slot;
}

/* Operations that are not one goroutine's: begun on one, ended on another. They are known by something that both
 * have at hand, such as the address of an object or that of a connection and a number on it, and are children of what
 * the goroutine that begins them does at that time. The tag keeps their keys apart from those of goroutines. */
#define GOINST_KEYED 0x80000000U

static __always_inline void goinst_operation_key_of(struct goinst_operation_key *key, const struct goinst_hit *hit,
                                                    u64 address, u32 number)
{
    key->g = address;
    key->tgid = hit->tgid;
    key->level = GOINST_KEYED | number;
}

/* The innermost operation that the goroutine of the hit is in: open, its own, and of a frame that is still there. */
static __always_inline struct goinst_operation *goinst_operation_around(const struct goinst_hit *hit)
{
    struct goinst_operation *around = 0, *op;
    struct goinst_operation_key key = {};
    u64 goid, depth;

    if (!hit->g)
        return 0;
    goid = goinst_goid(hit);
    depth = goinst_depth(hit);
    key.g = hit->g;
    key.tgid = hit->tgid;
#pragma clang loop unroll(disable) /* LLVM would take twice as long to compile */
    for (u32 level = 0; level < GOINST_LEVELS; level++) {
        key.level = level;
        op = goinst_operations.lookup(&key);
        if (!op || op->state != GOINST_OPEN || op->goid != goid || GOINST_AS_DEEP(op->depth, depth) ||
            (around && op->parent_id != around->head.span_id))
            break;
        around = op;
    }
    return around;
}

/* Begins an operation of record `type` that is known by an address and a number below 2^31; `inherit` as above. */
static __always_inline struct goinst_operation *goinst_operation_begin_keyed(struct goinst_hit *hit, u16 type,
                                                                             int inherit, u64 address, u32 number)
{
    struct goinst_operation *parent = goinst_operation_around(hit), *op;
    struct goinst_operation_key key = {};

    if (!parent && inherit)
        parent = goinst_operation_ancestor(hit);
    goinst_operation_key_of(&key, hit, address, number);
    op = goinst_operations.lookup(&key);
    if (op)
        goinst_operation_replace(op);
    op = goinst_operation_make(&key);
    if (!op)
        return 0;
    op->head.type = type;
    op->head.tgid = hit->tgid;
    op->head.span_id = goinst_random_id();
    op->goid = hit->g ? goinst_goid(hit) : 0;
    goinst_operation_under(op, parent);
    op->state = GOINST_OPEN;
    op->start = bpf_ktime_get_ns();
    if (inherit)
        goinst_operation_left_out(op);
    return op;
}

/* The open operation of record `type` that is known by this address and number. */
static __always_inline struct goinst_operation *goinst_operation_find_keyed(const struct goinst_hit *hit, u16 type,
                                                                            u64 address, u32 number)
{
    struct goinst_operation_key key = {};
    struct goinst_operation *op;

    goinst_operation_key_of(&key, hit, address, number);
    op = goinst_operations.lookup(&key);
    return op && op->state == GOINST_OPEN && op->head.type == type ? op : 0;
}

/* Whether an operation that is known by this address and number is open, or ended and not forgotten. */
static __always_inline int goinst_operation_known(const struct goinst_hit *hit, u64 address, u32 number)
{
    struct goinst_operation_key key = {};

    goinst_operation_key_of(&key, hit, address, number);
    return goinst_operations.lookup(&key) != 0;
}

/* Forgets a keyed operation: its entry is of no further use, for the address will be another object's. */
static __always_inline void goinst_operation_forget(const struct goinst_hit *hit, u64 address, u32 number)
{
    struct goinst_operation_key key = {};
    struct goinst_operation *op;

    goinst_operation_key_of(&key, hit, address, number);
    op = goinst_operations.lookup(&key);
    if (op && op->state == GOINST_OPEN) /* it has become part of another one */
        GONE(absorbed);
    goinst_operations.delete(&key);
}

/* The innermost open operation of record `type` on the goroutine of the hit; of any record when type is 0. */
static __always_inline struct goinst_operation *goinst_operation_find(const struct goinst_hit *hit, u16 type)
{
    struct goinst_operation *found = 0, *op;
    struct goinst_operation_key key = {};

    key.g = hit->g;
    key.tgid = hit->tgid;
#pragma clang loop unroll(disable) /* LLVM would take twice as long to compile */
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

/* Makes an operation that has just begun part of its caller's trace: `text` is a W3C traceparent of 55 bytes, with the
 * trace's id from the 4th on, the parent's from the 37th and the flags behind. The operations inside it then are part
 * of that trace, too. Not for one inside another: that one's trace it is in. Call it before anything is sent. */
static __always_inline void goinst_operation_adopt(struct goinst_operation *op, const char *text)
{
    u64 bad = 0;
    u64 high = goinst_hex64(text + 3, &bad), low = goinst_hex64(text + 19, &bad);
    u64 parent = goinst_hex64(text + 36, &bad), flags;

    goinst_hex(text[0], &bad);
    goinst_hex(text[1], &bad);
    goinst_hex(text[53], &bad);
    flags = goinst_hex(text[54], &bad);
    if (bad || !(high | low) || !parent || op->parent_id || text[2] != '-' || text[35] != '-' || text[52] != '-' ||
        (text[0] == 'f' && text[1] == 'f')) {
        if (!op->parent_id)
            NOTE(context_malformed);
        return;
    }
    op->trace_high = high;
    op->trace_low = low;
    op->parent_id = parent;
    op->head.flags = GOINST_REMOTE | (flags & 1 ? 0 : GOINST_UNSAMPLED);
}

/* The same for text that was read from a header and is `length` bytes long: later versions may say more behind it. */
static __always_inline void goinst_operation_adopt_text(struct goinst_operation *op, const char *text, u64 length)
{
    if (length == 55 || (length > 55 && text[55] == '-' && !(text[0] == '0' && text[1] == '0')))
        goinst_operation_adopt(op, text);
    else if (length)
        NOTE(context_malformed);
    goinst_operation_left_out(op); /* it may be looked at before anything else asks */
}

/* Makes an operation that has just begun part of `outer`, an operation of another goroutine; in its caller's trace, if
 * that was adopted before (outer is in it, then). */
static __always_inline void goinst_operation_join(struct goinst_operation *op, struct goinst_operation *outer)
{
    if (!op->parent_id) {
        op->trace_high = outer->trace_high;
        op->trace_low = outer->trace_low;
    }
    op->parent_id = outer->head.span_id;
    op->head.flags = goinst_operation_inherited(outer);
    outer->nested = 1;
}

/* The last operation of record `type` that ended on the goroutine of the hit, if nothing took its place. */
static __always_inline struct goinst_operation *goinst_operation_last(const struct goinst_hit *hit, u16 type)
{
    struct goinst_operation_key key = {};
    struct goinst_operation *op;

    key.g = hit->g;
    key.tgid = hit->tgid;
#pragma clang loop unroll(disable) /* LLVM would take twice as long to compile */
    for (u32 level = 0; level < GOINST_LEVELS; level++) {
        key.level = level;
        op = goinst_operations.lookup(&key);
        if (!op)
            break;
        if (op->state == GOINST_ENDED && op->head.type == type && op->goid == goinst_goid(hit))
            return op;
    }
    return 0;
}

/* Ends the operation without a span: nobody asked for it. */
static __always_inline void goinst_operation_drop(struct goinst_operation *op)
{
    op->state = GOINST_ENDED;
    GONE(not_asked_for);
}

/* Ends the operation and sends it with the first `size` bytes of its payload; `full` and `busy` are the counters for a
 * ring that does not take it, `done` that of spans, which is all there is when spans are only counted. */
static __always_inline void goinst_operation_end(struct goinst_operation *op, u64 size, u32 full, u32 busy, u32 done)
{
    op->end = bpf_ktime_get_ns();
    op->state = GOINST_ENDED;
    if (goinst_operation_left_out(op)) {
        NOTE(sampled_out);
        return;
    }
    goinst_count(done);
#ifndef GOINST_COUNT_ONLY
    size += offsetof(struct goinst_operation, payload);
    if (size > sizeof(*op))
        size = sizeof(*op);
    asm volatile("" : "+r"(size));
    if (size > sizeof(*op))
        return;
    if (goinst_events.ringbuf_output(op, size, BPF_RB_NO_WAKEUP) != 0) {
        u32 why = goinst_ring_has(size) ? busy : full;

        if (goinst_events.ringbuf_output(op, size, BPF_RB_NO_WAKEUP) != 0)
            goinst_count(why);
    }
#endif
}
