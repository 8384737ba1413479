/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* ARG(program, name) and RESULT(program, name) are made by the plan from the signature that the plugin declared and
 * the ABI of the binary; a word that the ABI puts on the stack is read by this. */

#define GOINST_SP(ctx) ((ctx)->sp)
#if defined(GOINST_ARM64)
#define GOINST_IP(ctx) ((ctx)->pc)
/* what a closure finds its variables by, where it begins (cmd/compile/abi-internal.md) */
#define GOINST_CLOSURE(ctx) ((u64)(ctx)->regs[26])
/* b.ls is taken when C is clear or Z is set; then the function starts again after runtime.morestack */
#define GOINST_BRANCH_TAKEN(ctx) (!((ctx)->pstate & (1UL << 29)) || ((ctx)->pstate & (1UL << 30)))
#else
#define GOINST_IP(ctx) ((ctx)->ip)
#define GOINST_CLOSURE(ctx) ((u64)(ctx)->dx)
/* jbe is taken when CF or ZF is set */
#define GOINST_BRANCH_TAKEN(ctx) ((ctx)->flags & 0x41)
#endif

/* how far the program lies from where it was linked, at a hit of this probe */
#define BIAS(program) program##__bias
#define ARG(program, name) program##__##name
#define RESULT(program, name) program##__result_##name

static __always_inline u64 goinst_stack_word(const struct goinst_hit *hit, u64 offset)
{
    u64 value = 0;
    bpf_probe_read_user(&value, sizeof(value), (void *)(hit->sp + offset));
    return value;
}

#define PROBE(name) static __always_inline int name(struct pt_regs *ctx, struct goinst_hit *hit)
