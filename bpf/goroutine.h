/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The goroutine a hit runs on; in a native program, the thread. */

#ifdef GOINST_NATIVE

static __always_inline u64 goinst_goid(const struct goinst_hit *hit)
{
    return hit->g;
}

/* How deep in its stack the thread is: from wherever. Only differences count. */
static __always_inline u64 goinst_depth(const struct goinst_hit *hit)
{
    return -hit->sp;
}

/* Whether a frame lies as deep as another one, or deeper: all of a stack is within 2 GB. */
#define GOINST_AS_DEEP(depth, other) ((s32)((u32)(depth) - (u32)(other)) >= 0)

#else

/* runtime.g.goid: unique in the process, while the g structure itself is used again for later goroutines. */
static __always_inline u64 goinst_goid(const struct goinst_hit *hit)
{
    return go_word(hit->g + GOINST_G_GOID);
}

/* How deep in its stack the goroutine is, in bytes. Go moves stacks; the distance from the high end stays. */
static __always_inline u64 goinst_depth(const struct goinst_hit *hit)
{
    return go_word(hit->g + GOINST_G_STACK_HI) - hit->sp;
}

#define GOINST_AS_DEEP(depth, other) ((depth) >= (other))

#endif
