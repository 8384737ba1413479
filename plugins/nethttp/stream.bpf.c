/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* HTTP/2 servers: net/http's own (bundled until Go 1.26, net/http/internal/http2 since 1.27) and
 * golang.org/x/net/http2.
 *
 * Each stream's handler runs on a goroutine of its own, from runHandler to the function that runHandler defers: that
 * one is called when the handler returned, panicked or left by runtime.Goexit, with the response's state still in
 * place. All that is sent is read at these two places, from the request and from the response's state.
 */

#define NETHTTP_STREAM_CLOSED 4 /* http2.go, stateClosed */

/* Where an implementation keeps what is read: constants, once this is inlined. */
struct nethttp_shape {
    u32 method, uri, host, header, content_length, remote, tls, context; /* the request */
    u32 state;                                                           /* responseWriter.rws */
    u32 stream, connection, response, status, written;                   /* responseWriterState */
    u32 id, net_conn;                                                    /* stream.id, serverConn.conn */
    u32 stream_state, reset;                                             /* stream.state, stream.resetQueued */
    u8 flags;
};

static __always_inline void nethttp_stream_open(struct goinst_hit *hit, u64 writer, u64 request,
                                                const struct nethttp_shape shape)
{
    struct nethttp_stream *r = nethttp_stream_begin(hit);
    u64 state, connection, headers, tls, context;

    if (!r)
        return;
    context = go_word(request + shape.context + 8);
    goinst_operation_context(nethttp_stream_operation(r), hit, context, context);
    state = go_word(writer + shape.state);
    connection = go_word(state + shape.connection);
    headers = go_word(request + shape.header);
    tls = go_word(request + shape.tls);
    r->state = state;
    r->request = request;
    r->target = go_word(request + shape.uri);
    r->copy = 0;
    r->connection = connection;
    r->stream = go_u32(go_word(state + shape.stream) + shape.id);
    r->content_length = go_word(request + shape.content_length);
    r->written = 0;
    r->status = 0;
    r->ending = NETHTTP_RETURNED;
    r->flags = tls ? shape.flags | NETHTTP_TLS : shape.flags;
    r->pattern_length = 0;
    r->content_type_length = 0;
    r->local_port = nethttp_local_port(go_word(connection + shape.net_conn), go_word(connection + shape.net_conn + 8));
    r->method_length = go_string_at(r->method, sizeof(r->method), request + shape.method);
    r->host_length = go_string_at(r->host, sizeof(r->host), request + shape.host);
    r->peer_length = go_string_at(r->peer, sizeof(r->peer), request + shape.remote);
    r->uri_length = go_word(request + shape.uri + 8);
    r->uri_copied = go_string_at(r->uri, sizeof(r->uri), request + shape.uri);
    r->agent_length = nethttp_header(headers, 10, NETHTTP_USER_AGENT, r->agent, sizeof(r->agent));
    r->parent_length = nethttp_header(headers, 11, NETHTTP_TRACE_PARENT, r->parent, sizeof(r->parent));
#ifdef GOINST_CONTEXT
    goinst_operation_adopt_text(nethttp_stream_operation(r), r->parent, r->parent_length);
#endif
    if (tls)
        nethttp_secure(nethttp_stream_operation(r), hit, tls);
    nethttp_capture(nethttp_stream_operation(r), hit, headers, 0);
}

static __always_inline void nethttp_stream_close(struct goinst_hit *hit, const struct nethttp_shape shape)
{
    struct nethttp_stream *r = nethttp_stream_current(hit);
    u64 stream;

    if (!r) {
        LOSS(began_unseen);
        return;
    }
    r->status = go_word(r->state + shape.status);
    r->written = go_word(r->state + shape.written);
    r->ending = nethttp_ending(hit, NETHTTP_RETURNED);
    /* closed before its handler was done, and not because the server resets it */
    stream = go_word(r->state + shape.stream);
    if (r->ending == NETHTTP_ABORTED && (u32)go_word(stream + shape.stream_state) == NETHTTP_STREAM_CLOSED &&
        !go_byte(stream + shape.reset))
        r->ending = NETHTTP_LEFT;
    nethttp_route_pattern(r);
    r->content_type_length = nethttp_header(go_word(r->state + shape.response), 12, NETHTTP_CONTENT_TYPE,
                                            r->content_type, sizeof(r->content_type));
    nethttp_capture(nethttp_stream_operation(r), hit, go_word(r->state + shape.response), 1);
    nethttp_stream_end(r, r->uri_copied);
}

#define NETHTTP_STD_REQUEST                                                                                          \
    .method = REQUEST_METHOD, .uri = REQUEST_URI, .host = REQUEST_HOST, .header = REQUEST_HEADER,                     \
    .content_length = REQUEST_CONTENT_LENGTH, .remote = REQUEST_REMOTE_ADDR, .tls = REQUEST_TLS,                     \
    .context = REQUEST_CONTEXT

#if defined(H2_STATE) && defined(H2_STREAM) && defined(H2_CONN) && defined(H2_RESPONSE) && defined(H2_STATUS) &&     \
    defined(H2_WRITTEN) && defined(H2_STREAM_ID) && defined(H2_NET_CONN) && defined(H2_STREAM_STATE) &&  \
    defined(H2_STREAM_RESET)
#define NETHTTP_STD_H2 1
#define NETHTTP_STD_SHAPE                                                                                            \
    .state = H2_STATE, .stream = H2_STREAM, .connection = H2_CONN, .response = H2_RESPONSE, .status = H2_STATUS,      \
    .written = H2_WRITTEN, .id = H2_STREAM_ID, .net_conn = H2_NET_CONN, .stream_state = H2_STREAM_STATE,        \
    .reset = H2_STREAM_RESET
#endif

/* The handler of net/http's own HTTP/2 is done. */
PROBE(nethttp_stream_done)
{
#ifdef NETHTTP_STD_H2
    nethttp_stream_close(hit, (struct nethttp_shape){NETHTTP_STD_SHAPE});
#endif
    return 0;
}

/* Until Go 1.26, where serverHandler.ServeHTTP is inlined: func (sc *http2serverConn) runHandler(rw *http2responseWriter,
 * req *Request, handler func(...)), which defers */
PROBE(nethttp_h2_run)
{
#if defined(NETHTTP_STD_H2) && defined(nethttp_h2_run__rw)
    nethttp_stream_open(hit, ARG(nethttp_h2_run, rw), ARG(nethttp_h2_run, req),
                        (struct nethttp_shape){NETHTTP_STD_REQUEST, NETHTTP_STD_SHAPE});
#endif
    return 0;
}

/* Go 1.27: func (sc *serverConn) runHandler(rw *responseWriter, req *ServerRequest, handler func(...)) */
PROBE(nethttp_stream_run)
{
#if defined(NETHTTP_STD_H2) && defined(SERVER_REQUEST_METHOD) && defined(SERVER_REQUEST_URI) &&                       \
    defined(SERVER_REQUEST_HOST) && defined(SERVER_REQUEST_HEADER) && defined(SERVER_REQUEST_CONTENT_LENGTH) &&       \
    defined(SERVER_REQUEST_REMOTE_ADDR) && defined(SERVER_REQUEST_TLS) && defined(SERVER_REQUEST_CONTEXT)
    struct nethttp_stream *r;

    nethttp_stream_open(hit, ARG(nethttp_stream_run, rw), ARG(nethttp_stream_run, req),
                        (struct nethttp_shape){.method = SERVER_REQUEST_METHOD,
                                               .uri = SERVER_REQUEST_URI,
                                               .host = SERVER_REQUEST_HOST,
                                               .header = SERVER_REQUEST_HEADER,
                                               .content_length = SERVER_REQUEST_CONTENT_LENGTH,
                                               .remote = SERVER_REQUEST_REMOTE_ADDR,
                                               .tls = SERVER_REQUEST_TLS,
                                               .context = SERVER_REQUEST_CONTEXT,
                                               NETHTTP_STD_SHAPE});
    /* it is no net/http.Request: that is made from it for the handler */
    r = nethttp_stream_current(hit);
    if (r)
        r->request = 0;
#endif
    return 0;
}

#if defined(XNET_STATE) && defined(XNET_STREAM) && defined(XNET_CONN) && defined(XNET_RESPONSE) &&                    \
    defined(XNET_STATUS) && defined(XNET_WRITTEN) && defined(XNET_STREAM_ID) && defined(XNET_NET_CONN) &&     \
    defined(XNET_STREAM_STATE) && defined(XNET_STREAM_RESET)
#define NETHTTP_XNET_H2 1
#define NETHTTP_XNET_SHAPE                                                                                           \
    .state = XNET_STATE, .stream = XNET_STREAM, .connection = XNET_CONN, .response = XNET_RESPONSE,                   \
    .status = XNET_STATUS, .written = XNET_WRITTEN, .id = XNET_STREAM_ID, .net_conn = XNET_NET_CONN,                  \
    .stream_state = XNET_STREAM_STATE, .reset = XNET_STREAM_RESET, .flags = NETHTTP_XNET
#endif

/* x/net: func (sc *serverConn) runHandler(rw *responseWriter, req *http.Request, handler func(...)) */
PROBE(nethttp_xnet_run)
{
#ifdef NETHTTP_XNET_H2
    nethttp_stream_open(hit, ARG(nethttp_xnet_run, rw), ARG(nethttp_xnet_run, req),
                        (struct nethttp_shape){NETHTTP_STD_REQUEST, NETHTTP_XNET_SHAPE});
#endif
    return 0;
}

PROBE(nethttp_xnet_done)
{
#ifdef NETHTTP_XNET_H2
    nethttp_stream_close(hit, (struct nethttp_shape){NETHTTP_XNET_SHAPE});
#endif
    return 0;
}
