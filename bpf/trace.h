/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Trace and span ids (W3C Trace Context: random, not zero). */

static __always_inline u64 goinst_random_id(void)
{
    u64 id = (u64)bpf_get_prandom_u32() << 32 | bpf_get_prandom_u32();
    return id ? id : 1;
}
