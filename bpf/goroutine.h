/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The goroutine a hit runs on. */

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
