/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Records on their way to user space, and what was lost on it.
 *
 * Every record starts with struct goinst_record. Counters are one per-CPU array: the first entries count hits, the others
 * what stands in the text, one for each place, so that a loss is known by file and line: LOSS(reason), NOTE(reason),
 * SIGNAL(name) of plugins, and GONE(way) of the core, of operations that went without a span and that nobody misses.
 */

/* The helpers by number (include/uapi/linux/bpf.h), under names of our own: for each call of bpf_probe_read_user BCC
 * reads all of /proc/kallsyms to find out whether the kernel has it, which costs more than the whole compile. */
static long (*goinst_probe_read_user)(void *to, u32 size, const void *from) = (void *)112;
#define bpf_probe_read_user goinst_probe_read_user

#define GOINST_PROCESS_BEGAN 0 /* a record's type: records/correlate.py has the same */
/* bpf_ringbuf_output, and, where there is nothing to send, bpf_ringbuf_query: BCC 0.26 has no method for that, and only
 * its methods know the descriptor of a map. */
static long (*goinst_ringbuf_output)(void *ring, void *data, u64 size, u64 flags) = (void *)130;
static u64 (*goinst_ringbuf_query)(void *ring, u64 flags) = (void *)134;
#define GOINST_RING_WAITING 0 /* BPF_RB_AVAIL_DATA */
#define GOINST_RING_SIZE 1    /* BPF_RB_RING_SIZE */

static __always_inline long goinst_ring(void *ring, void *data, u64 size, u64 flags)
{
    return data ? goinst_ringbuf_output(ring, data, size, flags) : (long)goinst_ringbuf_query(ring, flags);
}
#define bpf_ringbuf_output goinst_ring

struct goinst_record {
    u16 type;    /* which record, an index that the plan gives, from 1 on */
    u16 flags;
    u32 tgid;
    u64 span_id; /* the operation that it belongs to, 0: none */
};

/* What a probe knows of the hit it runs for: filled in by the wrapper around it. */
struct goinst_hit {
    u64 g;  /* address of the runtime.g that runs, 0 when the site does not tell */
    u64 sp; /* SP as it was at the function's first instruction */
    u64 context; /* what the program sets before it begins a call: the data word of the call's context.Context */
    u32 tgid;
    u32 tails[GOINST_TAILS]; /* where the plugin's tail-called programs are in goinst_tails, for this site */
};

BPF_RINGBUF_OUTPUT(goinst_events, 1); /* the size is set when the map is made */
BPF_PERCPU_ARRAY(goinst_counters, u64, GOINST_COUNTERS);
BPF_HASH(goinst_pids, u32, u8, 4096);

#ifdef GOINST_WAYS
static u64 (*goinst_attach_cookie)(void *ctx) = (void *)174;
BPF_ARRAY(goinst_way, u64, 1);
#endif

/* A uprobe is attached by a path, and keeps the mount that it leads through. When probes move to another mount of the
 * same file, they are for a moment attached by both: each hit then runs a program twice, and one of the runs counts. */
static __always_inline int goinst_this_way(void *ctx)
{
#ifdef GOINST_WAYS
    u32 zero = 0;
    u64 *way = goinst_way.lookup(&zero);

    return way && *way == goinst_attach_cookie(ctx);
#else
    return 1;
#endif
}

/* Atomic, although the array is per CPU: a uprobe program can be preempted by another one (kernel/trace/bpf_trace.c,
 * uprobe_prog_run: migrate_disable, not preempt_disable), and a lost count would be a silent loss. */
static __always_inline void goinst_count(u32 index)
{
    u64 *counter = goinst_counters.lookup(&index);
    if (counter)
        __sync_fetch_and_add(counter, 1);
}

/* Whether the ring has room for a record of so many bytes: asked when it was not taken. Since Linux 6.15 the ring's lock
 * may be refused although there is room (kernel/bpf/rqspinlock.c), and so each record is offered twice; where there was
 * room before the second time, it is the lock again. What a record takes is kernel/bpf/ringbuf.c, __bpf_ringbuf_reserve. */
static __always_inline int goinst_ring_has(u64 size)
{
    struct goinst_record *none = 0; /* see goinst_ring */

    return goinst_events.ringbuf_output(none, 0, GOINST_RING_WAITING) + ((size + 8 + 7) & ~7UL) <
           (u64)goinst_events.ringbuf_output(none, 0, GOINST_RING_SIZE);
}

static __always_inline int goinst_traced(u32 tgid)
{
#ifdef GOINST_FILTER_PIDS
    /* A uprobe sits on the inode: it fires in every process that runs the file. */
    return goinst_pids.lookup(&tgid) != 0;
#else
    return 1;
#endif
}
