/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* net/http server, HTTP/1: two hits a request. An HTTP/2 stream is handed on to stream.bpf.c.
 *
 * When the handler starts, the connection's bufio.Reader still holds the request's header block as it came over the
 * wire (net/http/server.go, readRequest), so that one copy gives the request line and every header. When the handler
 * is done, net/http.response knows the rest. What belongs to the connection is read once for each connection: the
 * operation's entry keeps it from one request of a goroutine to the next.
 */

#ifdef RESPONSE_CONN /* none in a program that has no server */
/* by goroutine: a connection that nothing was read of yet */
struct nethttp_goroutine {
    u64 g;
    u64 tgid;
};
BPF_TABLE("lru_hash", struct nethttp_goroutine, u64, nethttp_new, 4096);

/* func (c *conn) serve(ctx context.Context), on a goroutine of the connection's own */
PROBE(nethttp_accept)
{
    struct nethttp_goroutine key = {.g = hit->g, .tgid = hit->tgid};
    u64 conn = ARG(nethttp_accept, c);

    nethttp_new.update(&key, &conn);
    return 0;
}

/* Whether a connection's first request is at hand, of which nothing was read before. */
static __always_inline int nethttp_is_new(const struct goinst_hit *hit, u64 conn)
{
    struct nethttp_goroutine key = {.g = hit->g, .tgid = hit->tgid};
    u64 *known = nethttp_new.lookup(&key);

    if (!known || *known != conn)
        return 0;
    nethttp_new.delete(&key);
    return 1;
}

static __always_inline void nethttp_connection(struct nethttp_request *r, u64 conn)
{
    r->conn = conn;
    r->peer_length = go_string_at(r->peer, sizeof(r->peer), conn + CONN_REMOTE_ADDR);
    r->local_port = nethttp_local_port(go_word(conn + CONN_RWC), go_word(conn + CONN_RWC + 8));
    r->tls = go_word(conn + CONN_TLS_STATE);
}

/* The request that a connection's handler is at (net/http.conn.curReq): an atomic.Pointer, or, until Go 1.18, an
 * atomic.Value, which has the type in front. A response begins with its connection. */
static __always_inline u64 nethttp_answered(u64 conn)
{
    u64 response = go_word(conn + CONN_CURRENT);

    if (go_word(response + RESPONSE_CONN) != conn)
        response = go_word(conn + CONN_CURRENT + 8);
    return go_word(response + RESPONSE_CONN) == conn ? response : 0;
}

/* The preface of a client that speaks HTTP/2, "PRI * HTTP/2.0" (RFC 9113 section 3.4). net/http hands it to the handler
 * as if it were a request, for those that know what to do with it, such as x/net's h2c. */
static __always_inline int nethttp_is_preface(u64 request, u32 method_length, u32 uri_length)
{
    u8 method[4] = {};

    if (method_length != 3 || uri_length != 1 || go_byte(go_word(request + REQUEST_URI)) != '*')
        return 0;
    go_string_at(method, sizeof(method), request + REQUEST_METHOD);
    return method[0] == 'P' && method[1] == 'R' && method[2] == 'I';
}

#define NETHTTP_PIECE 128
#define NETHTTP_PIECES 4

/* Whether the block has this request's target from `from` on. What is longer than NETHTTP_PIECES pieces is not looked at.
 * r->pattern is free then. Lengths are read again in each turn: so the verifier need not remember what it knows of them. */
static __always_inline int nethttp_has_target(struct nethttp_request *r, u64 from)
{
    u64 length, at, word, mask = ~0ULL;

#pragma clang loop unroll(disable)
    for (u32 i = 0; i < NETHTTP_PIECES * NETHTTP_PIECE / 8; i++) {
        at = from + i * 8;
        length = *(volatile u32 *)&r->uri_length;
        if (i % (NETHTTP_PIECE / 8) == 0 && length > i * 8) {
            length -= i * 8;
            if (length > NETHTTP_PIECE)
                length = NETHTTP_PIECE;
            if (go_copy(r->pattern, sizeof(r->pattern), r->target + i * 8, length) != length)
                return 0;
            length = *(volatile u32 *)&r->uri_length;
        }
        if (length < i * 8 + 8)
            break;
        asm volatile("" : "+r"(at));
        if (at > sizeof(r->block) - 8 || *(u64 *)&r->block[at] != *(u64 *)&r->pattern[i * 8 % NETHTTP_PIECE])
            return 0;
    }
    length = *(volatile u32 *)&r->uri_length;
    if (length > NETHTTP_PIECES * NETHTTP_PIECE)
        return 0;
    /* the last bytes, up to 8 */
    at = length > 8 ? length - 8 : 0;
    if (length < 8)
        mask = (1ULL << 8 * (length & 7)) - 1;
    word = go_word(r->target + at);
    at += from;
    asm volatile("" : "+r"(at));
    return at <= sizeof(r->block) - 8 && !((*(u64 *)&r->block[at] ^ word) & mask);
}

/* Whether the block begins with this very request's line: its method, its target, "HTTP/". Else the beginning is lost, and
 * what stands there may be the middle of a header, which a client can make look like any request. */
static __always_inline int nethttp_begins_block(struct nethttp_request *r, u64 request)
{
    u64 at = r->method_length, end = at + 1 + r->uri_length, mask = at < 8 ? (1ULL << 8 * (at & 7)) - 1 : ~0ULL;

    if (at < 1 || at > 8 || end + 8 > r->block_length)
        return 0;
    asm volatile("" : "+r"(at));
    asm volatile("" : "+r"(end));
    if (at > 8 || end > sizeof(r->block) - 8 || ((*(u64 *)r->block ^ go_word(go_word(request + REQUEST_METHOD))) & mask))
        return 0;
    if (r->block[at] != ' ' || r->block[end] != ' ' || r->block[end + 1] != 'H' || r->block[end + 2] != 'T' ||
        r->block[end + 3] != 'T' || r->block[end + 4] != 'P' || r->block[end + 5] != '/')
        return 0;
    return nethttp_has_target(r, at + 1);
}

/* A handler is about to be called. Whether its header has to be read by nethttp_read_line. */
static __always_inline int nethttp_open(struct goinst_hit *hit, u64 response, u64 request)
{
    u32 method_length = go_word(request + REQUEST_METHOD + 8), uri_length = go_word(request + REQUEST_URI + 8);
    u64 conn, reader, used, context;
    struct nethttp_request *r;
    u8 alone = 0;

    if (nethttp_is_preface(request, method_length, uri_length)) {
        NOTE(http2_preface);
        return 0;
    }
    r = nethttp_request_begin(hit);
    if (!r)
        return 0;
    /* (*conn).readRequest makes it of the connection's, the first member of context.cancelCtx */
    context = go_word(request + REQUEST_CONTEXT + 8);
    goinst_operation_context(nethttp_request_operation(r), hit, go_word(context + 8), context);
    conn = go_word(response + RESPONSE_CONN);
    if (nethttp_request_operation(r)->reused && r->conn == conn) {
        alone = r->drained;
    } else {
        nethttp_connection(r, conn);
        alone = nethttp_is_new(hit, conn);
    }
    r->response = response;
    r->request = request;
    r->target = go_word(request + REQUEST_URI);
    r->copy = 0;
    r->flags = r->tls ? NETHTTP_TLS : 0;
    r->content_length = go_word(request + REQUEST_CONTENT_LENGTH);
    r->method_length = method_length;
    r->uri_length = uri_length;
    r->ending = NETHTTP_RETURNED;
    r->status = 0;
    r->written = 0;
    r->pattern_length = 0;
    r->content_type_length = 0;

#if defined(GOINST_CONTEXT) && defined(GO_MAP)
    /* user space finds it in the block: too late for what is called meanwhile, or for what is sent from here */
    goinst_operation_adopt_text(nethttp_request_operation(r), r->pattern,
                                nethttp_header(go_word(request + REQUEST_HEADER), 11, NETHTTP_TRACE_PARENT, r->pattern,
                                               sizeof(r->pattern)));
#endif
    /* buf[:r] ends with the header block. Nothing else is in it when the buffer was empty before: then it was filled from
     * its start (bufio.Reader.fill). Of a block that came in pieces the beginning may be lost: fill moves what is not read
     * yet to the front. */
    reader = go_word(conn + CONN_BUFR);
    used = go_word(reader + READER_R);
    r->drained = r->content_length >= 0 && used + r->content_length == go_word(reader + READER_W);
    r->block_length = go_copy(r->block, sizeof(r->block), go_word(reader + READER_BUF), used);
    if (used > sizeof(r->block))
        r->flags |= NETHTTP_BLOCK_CUT;
    if (r->tls)
        nethttp_secure(nethttp_request_operation(r), hit, r->tls);
    nethttp_capture(nethttp_request_operation(r), hit, go_word(request + REQUEST_HEADER), 0);
    if (alone && nethttp_begins_block(r, request))
        return 0;
    r->flags |= NETHTTP_LINE_SENT;
    r->block_length = 0;
    return 1;
}

/* func (sh serverHandler) ServeHTTP(rw ResponseWriter, req *Request) */
PROBE(nethttp_serve)
{
    u64 response = ARG(nethttp_serve, rw_data);

    if (go_type_hash(ARG(nethttp_serve, rw_type)) != T_RESPONSE) {
        TAIL_CALL(nethttp_serve_stream);
        return 0;
    }
#ifdef nethttp_bodiless__cr
    struct nethttp_request *begun = nethttp_request_current(hit);

    if (begun && begun->response == response)
        return 0;
#endif
    if (nethttp_open(hit, response, ARG(nethttp_serve, req)))
        TAIL_CALL(nethttp_read_line);
    return 0;
}

/* Where ServeHTTP is inlined in (*conn).serve: that makes one of two calls before, whose functions have a `go` or a `defer`,
 * and so are never inlined. */

/* func (cr *connReader) startBackgroundRead(), of a request without a body */
PROBE(nethttp_bodiless)
{
#ifdef nethttp_bodiless__cr
    u64 response = nethttp_answered(go_word(ARG(nethttp_bodiless, cr) + READER_CONN));

    if (response && nethttp_open(hit, response, go_word(response + RESPONSE_REQ)))
        TAIL_CALL(nethttp_read_line);
#endif
    return 0;
}

/* func registerOnHitEOF(rc io.ReadCloser, fn func()), or func (b *body) registerOnHitEOF(fn func()), of one that has a
 * body: fn is the method value startBackgroundRead, struct{ code; cr *connReader } */
PROBE(nethttp_bodied)
{
#ifdef nethttp_bodied__fn
    u64 response = nethttp_answered(go_word(go_word(ARG(nethttp_bodied, fn) + 8) + READER_CONN));

    if (response && nethttp_open(hit, response, go_word(response + RESPONSE_REQ)))
        TAIL_CALL(nethttp_read_line);
#endif
    return 0;
}

/* The rare case: what a span needs of the header, from net/http.Request itself. */
PROBE(nethttp_read_line)
{
    struct nethttp_request *r = nethttp_request_current(hit);
    struct nethttp_line *line;
    u64 request, headers;

    if (!r)
        return 0;
    request = r->request;
    headers = go_word(request + REQUEST_HEADER);
    line = nethttp_line_reserve(nethttp_request_operation(r), hit);
    if (!line)
        return 0;
    line->uri_length = r->uri_length;
    line->minor = go_word(request + REQUEST_PROTO_MINOR);
    line->method_length = go_string_at(line->method, sizeof(line->method), request + REQUEST_METHOD);
    line->host_length = go_string_at(line->host, sizeof(line->host), request + REQUEST_HOST);
    line->uri_copied = go_string_at(line->uri, sizeof(line->uri), request + REQUEST_URI);
    line->agent_length = nethttp_header(headers, 10, NETHTTP_USER_AGENT, line->agent, sizeof(line->agent));
    line->parent_length = nethttp_header(headers, 11, NETHTTP_TRACE_PARENT, line->parent, sizeof(line->parent));
    if (!line->method_length)
        LOSS(header_unreadable);
    nethttp_line_submit(line);
    return 0;
}
#endif

/* The same, for what is no HTTP/1 response. */
PROBE(nethttp_serve_stream)
{
    u64 writer = ARG(nethttp_serve, rw_data), request = ARG(nethttp_serve, req);
    u32 type = go_type_hash(ARG(nethttp_serve, rw_type));
    struct nethttp_stream *r;

    if (T_H2_WRITER && type == T_H2_WRITER) {
#if defined(NETHTTP_STD_H2) && !defined(nethttp_h2_run__rw)
        nethttp_stream_open(hit, writer, request, (struct nethttp_shape){NETHTTP_STD_REQUEST, NETHTTP_STD_SHAPE});
#endif
        return 0;
    }
    /* Go 1.27 and x/net, or where this function is inlined: runHandler was seen; the mux leaves its pattern in this request */
    r = nethttp_stream_current(hit);
    if (r)
        r->request = request;
    else
        LOSS(foreign_server);
    return 0;
}

#ifdef RESPONSE_CONN
static __always_inline void nethttp_close(struct goinst_hit *hit, struct nethttp_request *r, u8 ending)
{
    u64 response = r->response, body, reader;

    r->ending = ending;
#if defined(BODY_EOF)
    /* of a body that came later: all of it was read, and nothing behind it */
    body = go_word(response + RESPONSE_BODY + 8);
    reader = go_word(r->conn + CONN_BUFR);
    if (!r->drained && go_type_hash(go_word(response + RESPONSE_BODY)) == T_HTTP_BODY && go_byte(body + BODY_EOF))
        r->drained = go_word(reader + READER_R) == go_word(reader + READER_W);
#endif
    if (go_byte(r->conn + CONN_HIJACKED))
        r->flags |= NETHTTP_HIJACKED;
    r->status = go_word(response + RESPONSE_STATUS);
    r->written = go_word(response + RESPONSE_WRITTEN);
    nethttp_route_pattern(r);
    r->content_type_length = nethttp_header(go_word(response + RESPONSE_HEADER), 12, NETHTTP_CONTENT_TYPE,
                                            r->content_type, sizeof(r->content_type));
    nethttp_capture(nethttp_request_operation(r), hit, go_word(response + RESPONSE_HEADER), 1);
    nethttp_request_end(r, r->block_length);
}

/* The handler has returned: then (*conn).serve asks func (c *conn) hijacked() bool, which defers, and so is never
 * inlined, as func (w *response) finishRequest() may be. Before Go 1.17 a call does not tell the goroutine. */
PROBE(nethttp_finish)
{
#ifdef nethttp_finish__c
    u64 conn = ARG(nethttp_finish, c), request;
#else
    u64 conn = go_word(ARG(nethttp_finish, w) + RESPONSE_CONN), request;
#endif
    struct nethttp_request *r = nethttp_request_current(hit);

    if (r && r->conn == conn) {
        nethttp_close(hit, r, NETHTTP_RETURNED);
        return 0;
    }
    request = go_word(nethttp_answered(conn) + RESPONSE_REQ);
    if (!nethttp_is_preface(request, go_word(request + REQUEST_METHOD + 8), go_word(request + REQUEST_URI + 8)))
        LOSS(began_unseen);
    return 0;
}

/* Whether the client has left: the read that goes on beside the handler has failed (connReader.backgroundRead), or a write
 * has, by what the kernel said: a deadline is the server's own. */
static __always_inline int nethttp_client_left(const struct nethttp_request *r)
{
#ifdef RESPONSE_LEFT
    if (go_byte(r->response + RESPONSE_LEFT))
        return 1;
#endif
#if defined(CONN_ERROR) && defined(OP_ERROR_ERR)
    u64 type = go_word(r->conn + CONN_ERROR), data = go_word(r->conn + CONN_ERROR + 8);

    if (T_TLS_ERROR && go_type_hash(type) == T_TLS_ERROR) { /* struct{ err net.Error } */
        type = go_word(data);
        data = go_word(data + 8);
    }
    if (T_OP_ERROR && go_type_hash(type) == T_OP_ERROR)
        return T_SYSCALL_ERROR && go_type_hash(go_word(data + OP_ERROR_ERR)) == T_SYSCALL_ERROR;
#endif
    return 0;
}

/* The function that (*conn).serve defers: once a connection, however it ends. The handler of a request that is still
 * open then did not return. */
PROBE(nethttp_leave)
{
    struct nethttp_request *r = nethttp_request_current(hit);
    u8 ending;

    if (!r)
        return 0;
    /* of a connection that was taken over nobody asks on Go 1.16; its serving ends with the handler */
    ending = nethttp_ending(hit, go_byte(r->conn + CONN_HIJACKED) ? NETHTTP_RETURNED : NETHTTP_NOT_SEEN);
    if (ending == NETHTTP_ABORTED && nethttp_client_left(r))
        ending = NETHTTP_LEFT;
    if (ending == NETHTTP_NOT_SEEN)
        LOSS(end_unseen);
    nethttp_close(hit, r, ending);
    return 0;
}
#endif
