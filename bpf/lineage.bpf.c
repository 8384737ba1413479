/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* A goroutine is made: remember the operation that it is made in.
 *
 * runtime.newproc1 runs on the system stack (g0); the goroutine that said `go` is g0.m.curg. The site is the call of
 * runtime.casgstatus in it, whose first argument is the new g (runtime/proc.go, Go 1.17 to 1.27); for a g that was
 * never used before there are two such calls, which does no harm.
 */
PROBE(goinst_new_goroutine)
{
    struct goinst_goroutine_key child = {.g = ARG(goinst_new_goroutine, gp), .tgid = hit->tgid}, self = {};
    struct goinst_ancestor ancestor = {}, *own;
    struct goinst_hit creator = {};
    struct goinst_operation *op;

    creator.tgid = hit->tgid;
    creator.g = go_word(go_word(hit->g + G_M) + M_CURG);
    if (creator.g) {
        op = goinst_operation_find(&creator, 0);
        if (op && op->goid == goinst_goid(&creator)) {
            ancestor.g = creator.g;
            ancestor.span_id = op->head.span_id;
            ancestor.level = op->level;
            ancestor.depth = 1;
            goinst_lineage.update(&child, &ancestor);
            return 0;
        }
        self.g = creator.g;
        self.tgid = hit->tgid;
        own = goinst_lineage.lookup(&self);
        if (own && own->depth < GOINST_LINEAGE_DEPTH) {
            ancestor.g = own->g;
            ancestor.span_id = own->span_id;
            ancestor.level = own->level;
            ancestor.depth = own->depth + 1;
            goinst_lineage.update(&child, &ancestor);
            return 0;
        }
        if (own)
            LOSS(lineage_too_deep);
    }
    /* the g was another goroutine's before */
    if (goinst_lineage.lookup(&child))
        goinst_lineage.delete(&child);
    return 0;
}
