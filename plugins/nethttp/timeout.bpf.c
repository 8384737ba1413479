/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* http.TimeoutHandler runs the handler on a goroutine of its own, while the request's waits for it: what is seen on that one
 * is the request's. Which closure a goroutine was started with is known at both ends (net/http/server.go and
 * runtime/proc.go, Go 1.16 to 1.27).
 */

#ifdef nethttp_timeout__fn /* none in most programs: no maps either */
struct nethttp_closure {
    u64 closure;
    u64 tgid;
};
struct nethttp_stand_in {
    u64 goid;
    u64 g; /* the request's goroutine */
    u64 span_id;
};
BPF_TABLE("lru_hash", struct nethttp_closure, struct nethttp_stand_in, nethttp_started, 1024);
BPF_TABLE("lru_hash", struct goinst_goroutine_key, struct nethttp_stand_in, nethttp_stand_ins, 4096);
#endif

/* The server's operation that the goroutine of the hit is in. */
static __always_inline struct goinst_operation *nethttp_served(struct goinst_hit *hit)
{
    struct nethttp_request *request = nethttp_request_current(hit);
    struct nethttp_stream *stream = request ? 0 : nethttp_stream_current(hit);

    if (request)
        return nethttp_request_operation(request);
    return stream ? nethttp_stream_operation(stream) : 0;
}

/* (*timeoutHandler).ServeHTTP calls func newproc(fn *funcval), on the request's goroutine */
PROBE(nethttp_timeout)
{
#ifdef nethttp_timeout__fn
    struct nethttp_closure key = {.closure = ARG(nethttp_timeout, fn), .tgid = hit->tgid};
    struct goinst_operation *op = nethttp_served(hit);
    struct nethttp_stand_in entry = {};

    if (!op)
        return 0;
    entry.g = hit->g;
    entry.span_id = op->head.span_id;
    nethttp_started.update(&key, &entry);
#endif
    return 0;
}

/* func (h *timeoutHandler) ServeHTTP.func1(), on the handler's */
PROBE(nethttp_timeout_runs)
{
#ifdef nethttp_timeout__fn
    struct nethttp_closure key = {.closure = GOINST_CLOSURE(ctx), .tgid = hit->tgid};
    struct goinst_goroutine_key own = {.g = hit->g, .tgid = hit->tgid};
    struct nethttp_stand_in *started = nethttp_started.lookup(&key), entry;

    if (!started || !hit->g)
        return 0;
    entry = *started;
    entry.goid = goinst_goid(hit);
    nethttp_started.delete(&key);
    nethttp_stand_ins.update(&own, &entry);
#endif
    return 0;
}

/* Makes a hit on a handler's goroutine one on its request's, while that waits for it; not when the request is over, as it is
 * behind the time limit. */
static __always_inline void nethttp_stand_in(struct goinst_hit *hit)
{
#ifdef nethttp_timeout__fn
    struct goinst_goroutine_key own = {.g = hit->g, .tgid = hit->tgid};
    struct nethttp_stand_in *found = nethttp_stand_ins.lookup(&own);
    struct goinst_operation *op;

    if (!found || found->goid != goinst_goid(hit))
        return;
    hit->g = found->g;
    op = nethttp_served(hit);
    if (!op || op->head.span_id != found->span_id)
        hit->g = own.g;
#endif
}
