/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* JSON-RPC in the bodies of HTTP/2 requests that are served: net/http's own implementation (bundled until Go 1.26,
 * net/http/internal/http2 since 1.27) and golang.org/x/net/http2.
 *
 * A handler starts with the header block; the body comes by other goroutines and is dropped as it is read. So it is
 * caught where the handler reads it, in binaries that speak of "jsonrpc" only. A response of up to 4 KB is in the
 * stream's bufio.Writer when the handler is done, as in HTTP/1.
 */

/* Where an implementation keeps what is read: constants, once this is inlined. */
struct jsonrpc_shape {
    u32 written, writer, status; /* responseWriterState */
};

#if defined(H2_STATE) && defined(H2_WRITTEN) && defined(H2_STATUS) && defined(H2_WRITER)
#define JSONRPC_STD {.written = H2_WRITTEN, .writer = H2_WRITER, .status = H2_STATUS}
#endif
#if defined(XNET_STATE) && defined(XNET_WRITTEN) && defined(XNET_STATUS) && defined(XNET_WRITER)
#define JSONRPC_XNET {.written = XNET_WRITTEN, .writer = XNET_WRITER, .status = XNET_STATUS}
#endif

/* The handler is done: what it answered is still in its buffer, or was caught while it was written. */
static __always_inline void jsonrpc_stream_end(struct goinst_hit *hit, const struct jsonrpc_shape shape)
{
    struct jsonrpc_goroutine key = {.g = hit->g, .tgid = hit->tgid};
    struct goinst_operation *op = goinst_operation_find(hit, 0);
    struct jsonrpc_pending *pending = jsonrpc_late.lookup(&key);
    struct jsonrpc_writing *writing = jsonrpc_writings.lookup(&key);
    struct jsonrpc_response *r;
    u64 length, writer, buffer = 0, state;
    u8 source = JSONRPC_WRITER;

    if (!op || !pending || pending->span_id != op->head.span_id || !jsonrpc_request_sent(op))
        return;
    state = pending->state;
    length = go_word(state + shape.written);
    writer = go_word(state + shape.writer);
    if (writing && writing->span_id == op->head.span_id) {
        source = writing->source;
    } else if (length > go_word(writer + WRITER_BUF + 8)) {
        LOSS(response_streamed);
        SIGNAL(writes_wanted);
        LOSS(response_gone);
        return;
    } else {
        buffer = go_word(writer + WRITER_BUF);
        jsonrpc_rest(op, hit, buffer, length, 1);
    }
    r = jsonrpc_response_reserve(op, hit);
    if (!r)
        return;
    r->status = go_word(state + shape.status);
    r->length = length;
    r->source = source | JSONRPC_TOLD;
    r->query_length = 0;
    r->body_length = buffer ? go_copy(r->body, sizeof(r->body), buffer, jsonrpc_first(length)) : 0;
    jsonrpc_response_submit(r);
}

/* Until Go 1.26, where serverHandler.ServeHTTP is inlined: func (sc *http2serverConn) runHandler(rw *http2responseWriter,
 * req *Request, handler func(...)) */
PROBE(jsonrpc_h2_run)
{
#if defined(H2_STATE) && defined(jsonrpc_h2_run__rw)
    if (jsonrpc_may_have_body(ARG(jsonrpc_h2_run, req)))
        jsonrpc_stream_begin(hit, go_word(ARG(jsonrpc_h2_run, rw) + H2_STATE));
#endif
    return 0;
}

/* Go 1.27: func (sc *serverConn) runHandler(rw *responseWriter, req *ServerRequest, handler func(...)) */
PROBE(jsonrpc_stream_run)
{
#if defined(H2_STATE) && defined(SERVER_REQUEST_METHOD) && defined(jsonrpc_stream_run__req)
    if (jsonrpc_is_post(ARG(jsonrpc_stream_run, req) + SERVER_REQUEST_METHOD))
        jsonrpc_stream_begin(hit, go_word(ARG(jsonrpc_stream_run, rw) + H2_STATE));
#endif
    return 0;
}

/* x/net: func (sc *serverConn) runHandler(rw *responseWriter, req *http.Request, handler func(...)) */
PROBE(jsonrpc_xnet_run)
{
#if defined(XNET_STATE) && defined(jsonrpc_xnet_run__req)
    if (jsonrpc_is_post(ARG(jsonrpc_xnet_run, req) + REQUEST_METHOD))
        jsonrpc_stream_begin(hit, go_word(ARG(jsonrpc_xnet_run, rw) + XNET_STATE));
#endif
    return 0;
}

/* func (b *requestBody) Read(p []byte) (n int, err error) */
PROBE(jsonrpc_stream_read)
{
#ifdef jsonrpc_stream_read__p_ptr
    jsonrpc_read_begin(hit, ARG(jsonrpc_stream_read, p_ptr), 0);
#endif
    return 0;
}

PROBE(jsonrpc_stream_read_done)
{
#ifdef jsonrpc_stream_read_done__result_n
    if (jsonrpc_read_end(hit, RESULT(jsonrpc_stream_read_done, n)))
        TAIL_CALL(jsonrpc_first_read);
#endif
    return 0;
}

PROBE(jsonrpc_xnet_read)
{
#ifdef jsonrpc_xnet_read__p_ptr
    jsonrpc_read_begin(hit, ARG(jsonrpc_xnet_read, p_ptr), 0);
#endif
    return 0;
}

PROBE(jsonrpc_xnet_read_done)
{
#ifdef jsonrpc_xnet_read_done__result_n
    if (jsonrpc_read_end(hit, RESULT(jsonrpc_xnet_read_done, n)))
        TAIL_CALL(jsonrpc_first_read);
#endif
    return 0;
}

/* func (w *responseWriter) write(lenData int, dataB []byte, dataS string): attached once a response was long */
PROBE(jsonrpc_stream_write)
{
#if defined(JSONRPC_STD) && defined(jsonrpc_stream_write__w)
    struct jsonrpc_shape shape = JSONRPC_STD;
    u64 state = go_word(ARG(jsonrpc_stream_write, w) + H2_STATE), data = ARG(jsonrpc_stream_write, dataB_ptr);

    if (!data)
        data = ARG(jsonrpc_stream_write, dataS_ptr);
    if (jsonrpc_write_begin(hit, state, go_word(state + shape.written), go_word(state + shape.writer), data,
                            ARG(jsonrpc_stream_write, lenData)))
        TAIL_CALL(jsonrpc_write_event);
#endif
    return 0;
}

PROBE(jsonrpc_xnet_write)
{
#if defined(JSONRPC_XNET) && defined(jsonrpc_xnet_write__w)
    struct jsonrpc_shape shape = JSONRPC_XNET;
    u64 state = go_word(ARG(jsonrpc_xnet_write, w) + XNET_STATE), data = ARG(jsonrpc_xnet_write, dataB_ptr);

    if (!data)
        data = ARG(jsonrpc_xnet_write, dataS_ptr);
    if (jsonrpc_write_begin(hit, state, go_word(state + shape.written), go_word(state + shape.writer), data,
                            ARG(jsonrpc_xnet_write, lenData)))
        TAIL_CALL(jsonrpc_write_event);
#endif
    return 0;
}

/* what runHandler defers: the handler returned, panicked or left by runtime.Goexit */
PROBE(jsonrpc_stream_done)
{
#ifdef JSONRPC_STD
    jsonrpc_stream_end(hit, (struct jsonrpc_shape)JSONRPC_STD);
#endif
    return 0;
}

PROBE(jsonrpc_xnet_done)
{
#ifdef JSONRPC_XNET
    jsonrpc_stream_end(hit, (struct jsonrpc_shape)JSONRPC_XNET);
#endif
    return 0;
}
