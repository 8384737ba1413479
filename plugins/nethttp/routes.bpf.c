/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Routers that know the template that a request matched: one hit a request where one of them is linked in.
 *
 * gin, echo and chi take their context out of a sync.Pool and give it back when the request is done: at the call of
 * Put it still says what matched.
 */

/* A fact of the request, NULL when there is none */
static __always_inline struct nethttp_route *nethttp_route_start(struct goinst_hit *hit, u8 router, u64 count)
{
    struct goinst_operation *op;
    struct nethttp_route *r;

    nethttp_stand_in(hit);
    op = nethttp_served(hit);
    r = op ? nethttp_route_reserve(op, hit) : 0;
    if (!r)
        return 0;
    r->router = router;
    r->count = count > 255 ? 255 : count;
    return r;
}

/* The number-th 128 bytes of a text; how many of them there are */
#define nethttp_piece(to, text, length, number)                                                                      \
    ((length) > (number) * 128 ? go_copy((to), sizeof(to), (text) + (number) * 128, (length) - (number) * 128) : 0)

/* `count` strings that lie at `strings`, as a fact of the request */
static __always_inline void nethttp_routed(struct goinst_hit *hit, u8 router, u64 strings, u64 count)
{
    struct nethttp_route *r = strings && count ? nethttp_route_start(hit, router, count) : 0;

    if (!r)
        return;
    r->length0 = go_string_at(r->part0, sizeof(r->part0), strings);
    r->length1 = count > 1 ? go_string_at(r->part1, sizeof(r->part1), strings + 16) : 0;
    r->length2 = count > 2 ? go_string_at(r->part2, sizeof(r->part2), strings + 32) : 0;
    r->length3 = count > 3 ? go_string_at(r->part3, sizeof(r->part3), strings + 48) : 0;
    nethttp_route_submit(r);
}

/* (*ServeMux).ServeHTTP calls func (mux *ServeMux) findHandler(r *Request): r is where the pattern will be. Middleware
 * hands a copy of the request on when it adds to its context. The first mux counts: those inside it know a part. */
PROBE(nethttp_mux)
{
#ifdef nethttp_mux__r
    struct nethttp_request *request;
    struct nethttp_stream *stream;

    nethttp_stand_in(hit);
    request = nethttp_request_current(hit);
    stream = request ? 0 : nethttp_stream_current(hit);
    if (request && !request->copy)
        request->copy = ARG(nethttp_mux, r);
    if (stream && !stream->copy)
        stream->copy = ARG(nethttp_mux, r);
#endif
    return 0;
}

PROBE(nethttp_gin)
{
#if defined(GIN_PATH) && defined(nethttp_gin__x_data)
    nethttp_routed(hit, NETHTTP_ONE_ROUTER, ARG(nethttp_gin, x_data) + GIN_PATH, 1);
#endif
    return 0;
}

PROBE(nethttp_echo)
{
#if defined(ECHO_PATH) && defined(nethttp_echo__x_data)
    nethttp_routed(hit, NETHTTP_ONE_ROUTER, ARG(nethttp_echo, x_data) + ECHO_PATH, 1);
#endif
    return 0;
}

PROBE(nethttp_echo5)
{
#if defined(ECHO5_PATH) && defined(nethttp_echo5__x_data)
    nethttp_routed(hit, NETHTTP_ONE_ROUTER, ARG(nethttp_echo5, x_data) + ECHO5_PATH, 1);
#endif
    return 0;
}

PROBE(nethttp_chi)
{
#if defined(CHI_PATTERNS) && defined(nethttp_chi__x_data)
    u64 patterns = ARG(nethttp_chi, x_data) + CHI_PATTERNS;

    nethttp_routed(hit, NETHTTP_CHI_ROUTER, go_word(patterns), go_word(patterns + 8));
#endif
    return 0;
}

/* func requestWithRoute(r *http.Request, route *Route) *http.Request, or where it is inlined the call that it makes, func
 * WithValue(parent Context, key, val any) Context: a template holds regular expressions, so it may be
 * long; it fills all parts, one behind the other */
#ifdef nethttp_gorilla__route
#define NETHTTP_GORILLA_ROUTE ARG(nethttp_gorilla, route)
#elif defined(nethttp_gorilla__route_data)
#define NETHTTP_GORILLA_ROUTE ARG(nethttp_gorilla, route_data)
#endif
PROBE(nethttp_gorilla)
{
#if defined(GORILLA_REGEXP) && defined(GORILLA_TEMPLATE) && defined(NETHTTP_GORILLA_ROUTE)
    u64 path = go_word(NETHTTP_GORILLA_ROUTE + GORILLA_REGEXP), text, length;
    struct nethttp_route *r;

    if (!path)
        return 0;
    text = go_word(path + GORILLA_TEMPLATE);
    length = go_word(path + GORILLA_TEMPLATE + 8);
    r = nethttp_route_start(hit, NETHTTP_GORILLA_ROUTER, length >> 7);
    if (!r)
        return 0;
    r->length0 = nethttp_piece(r->part0, text, length, 0);
    r->length1 = nethttp_piece(r->part1, text, length, 1);
    r->length2 = nethttp_piece(r->part2, text, length, 2);
    r->length3 = nethttp_piece(r->part3, text, length, 3);
    nethttp_route_submit(r);
#endif
    return 0;
}
