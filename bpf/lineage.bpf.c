/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* A goroutine is made: remember the operation that it is made in, and whether it works for others, too.
 *
 * runtime.newproc1 runs on the system stack (g0); the goroutine that said `go` is g0.m.curg. The site is the call of
 * runtime.isSystemGoroutine in it, whose first argument is the new g, when it is known what it will run
 * (runtime/proc.go, Go 1.17 to 1.27). Where that is inlined, it is the call of casgstatus, of which there are two for a
 * g that was never used before: the first one, from _Gidle, comes too early. Else it is the RET.
 */

/* What goroutines start with: by the address of the function, as linked, a mark (golang/workers.py), GOINST_WORKER for
 * what takes work from others, again and again. It has as many entries as the program has such functions. */
BPF_TABLE("hash", u64, u32, goinst_workers, 1);
#define GOINST_WORKER 0
/* other marks: words of the closure that may be the function that is called; the word that points to a table of
 * functions, and how far behind that its address is */
#define GOINST_MARKED(mark, word) ((mark) >> (word) & 1)
#define GOINST_MARKED_WORDS 8
#define GOINST_TABLE_WORD(mark) ((mark) >> 8 & 0xff)
#define GOINST_TABLE_OFFSET(mark) ((mark) >> 16)
/* below are numbers, not addresses (cmd/link: INITTEXT; position-independent programs are loaded far above):
 * reading from where no memory is costs a page fault */
#ifdef GOINST_ARM64
#define GOINST_LOWEST_ADDRESS 0x10000
#else
#define GOINST_LOWEST_ADDRESS 0x400000
#endif

static __always_inline int goinst_is_worker(u64 function)
{
    u32 *mark = goinst_workers.lookup(&function);

    return mark && *mark == GOINST_WORKER;
}

/* Whether a goroutine that is about to start takes work from others: by its first function, or by what that calls. */
static __always_inline int goinst_takes_work(u64 g, u64 bias)
{
    u64 start = go_word(g + G_STARTPC) - bias, closure;
    u32 *found = goinst_workers.lookup(&start), mark;

    if (!found)
        return 0;
    mark = *found;
    if (mark == GOINST_WORKER)
        return 1;
    closure = go_word(g + G_CLOSURE);
#pragma clang loop unroll(disable) /* LLVM would take twice as long to compile */
    for (u32 word = 1; word < GOINST_MARKED_WORDS; word++) {
        if (!GOINST_MARKED(mark, word))
            continue;
        start = go_word(closure + 8 * word);
        if (start >= GOINST_LOWEST_ADDRESS && goinst_is_worker(go_word(start) - bias))
            return 1;
    }
    if (!GOINST_TABLE_OFFSET(mark))
        return 0;
    closure = go_word(closure + 8 * GOINST_TABLE_WORD(mark));
    return goinst_is_worker(go_word(closure + GOINST_TABLE_OFFSET(mark)) - bias);
}

#ifdef goinst_new_goroutine__result_gp
#define GOINST_NEW_G RESULT(goinst_new_goroutine, gp)
#else
#define GOINST_NEW_G ARG(goinst_new_goroutine, gp)
#endif
PROBE(goinst_new_goroutine)
{
    struct goinst_goroutine_key child = {.g = GOINST_NEW_G, .tgid = hit->tgid}, self = {};
    struct goinst_ancestor ancestor = {}, *own;
    struct goinst_hit creator = {};
    struct goinst_operation *op;

#ifdef goinst_new_goroutine__oldval
    if (!(u32)ARG(goinst_new_goroutine, oldval))
        return 0;
#endif
    creator.tgid = hit->tgid;
    creator.g = go_word(go_word(hit->g + G_M) + M_CURG);
    if (creator.g) {
        op = goinst_operation_find(&creator, 0);
        if (op && op->goid == goinst_goid(&creator)) {
            ancestor.g = creator.g;
            ancestor.span_id = op->head.span_id;
            ancestor.level = op->level;
        } else {
            self.g = creator.g;
            self.tgid = hit->tgid;
            own = goinst_lineage.lookup(&self);
            if (own)
                ancestor = *own;
        }
    }
    if (ancestor.g) {
        ancestor.parent = goinst_goid(&creator);
        if (!ancestor.shared)
            ancestor.shared = goinst_takes_work(child.g, BIAS(goinst_new_goroutine));
        goinst_lineage.update(&child, &ancestor);
        return 0;
    }
    /* the g was another goroutine's before */
    if (goinst_lineage.lookup(&child))
        goinst_lineage.delete(&child);
    return 0;
}
