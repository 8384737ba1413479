/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Header blocks of HTTP/2, in and out, before they are encoded and after they are decoded: HPACK's table, which began
 * with the connection, is not needed. net/http's implementation, golang.org/x/net/http2 and grpc-go's transport.
 */

#define HTTP2_NAME 64
#define HTTP2_FIELDS 64
/* hpack.HeaderField{Name, Value string; Sensitive bool} */
#define HTTP2_FIELD_SIZE 40


/* Not of an operation: one of its own, below what the goroutine does, if it does something (a server's handler that
 * answers; the goroutine that reads frames works for all streams). */
static __always_inline struct http2_headers *http2_start(struct goinst_hit *hit, u64 connection, u32 stream, u8 out)
{
    struct goinst_operation *op = goinst_operation_around(hit);
    struct http2_headers *r = http2_headers_reserve(0, hit);

    if (!r)
        return 0;
    r->goinst.span_id = goinst_random_id();
    r->parent = op ? op->head.span_id : 0;
    r->trace_high = op ? op->trace_high : goinst_random_id();
    r->trace_low = op ? op->trace_low : goinst_random_id();
    r->at = bpf_ktime_get_ns();
    r->connection = connection;
    r->stream = stream;
    r->out = out;
    r->flags = 0;
    r->status = 0;
    r->length = 0;
    return r;
}

/* One field: a byte with the name's length, one with the value's, then both. 0 when there is no more room. */
#define http2_put(r, name, value)                                                                                    \
    ({                                                                                                               \
        /* kept in the record: in a register, the verifier would follow each way to each value of it */              \
        u64 http2_at = *(volatile u16 *)&(r)->length, http2_n, http2_v;                                              \
        int http2_fits = http2_at <= sizeof((r)->data) - 2 - HTTP2_NAME - HTTP2_VALUE;                               \
        if (http2_fits) {                                                                                            \
            http2_n = go_string_at(&(r)->data[http2_at + 2], HTTP2_NAME, (name));                                    \
            http2_v = (value) ? go_string_at(&(r)->data[http2_at + 2 + http2_n], HTTP2_VALUE, (value)) : 0;          \
            (r)->data[http2_at] = http2_n;                                                                           \
            (r)->data[http2_at + 1] = http2_v;                                                                       \
            *(volatile u16 *)&(r)->length = http2_at + 2 + http2_n + http2_v;                                        \
        } else {                                                                                                     \
            (r)->flags |= HTTP2_CUT;                                                                                 \
        }                                                                                                            \
        http2_fits;                                                                                                  \
    })

/* A slice of hpack.HeaderField. */
static __always_inline void http2_put_fields(struct http2_headers *r, u64 fields, u64 count)
{
    for (u32 i = 0; i < HTTP2_FIELDS; i++) {
        u64 field = fields + i * HTTP2_FIELD_SIZE;

        if (i >= count || !http2_put(r, field, field + 16))
            break;
    }
    if (count > HTTP2_FIELDS)
        r->flags |= HTTP2_CUT;
}

/* A net/http.Header. */
static __always_inline void http2_put_map(struct http2_headers *r, u64 map)
{
#ifdef GO_MAP
    struct go_map walk = {};
    u64 key, element;

    if (!map)
        return;
    go_map_begin(&walk, map);
    for (u32 i = 0; i < GO_MAP_SLOTS; i++) {
        if ((i & 7) == 0 && !go_map_enter(&walk, i >> 3))
            break;
        key = go_map_key(&walk, i & 7);
        if (!key)
            continue;
        element = go_map_element(&walk, i & 7, key);
        element = go_word(element + 8) ? go_word(element) : 0;
        if (!http2_put(r, key, element))
            break;
    }
#endif
}

static __always_inline void http2_in(struct goinst_hit *hit, u64 connection, u64 frame)
{
    u64 header = go_word(frame); /* MetaHeadersFrame{*HeadersFrame}, HeadersFrame{FrameHeader} */
    struct http2_headers *r = http2_start(hit, connection, go_u32(header + FRAME_STREAM), 0);

    if (!r)
        return;
    r->flags = go_byte(header + FRAME_FLAGS) & HTTP2_END_STREAM;
    http2_put_fields(r, go_word(frame + META_FIELDS), go_word(frame + META_FIELDS + 8));
    http2_headers_submit(r);
}

/* func (sc *serverConn) processHeaders(f *MetaHeadersFrame) error */
PROBE(http2_in_server)
{
#ifdef http2_in_server__f
    http2_in(hit, ARG(http2_in_server, sc), ARG(http2_in_server, f));
#endif
    return 0;
}

PROBE(http2_in_xnet_server)
{
#ifdef http2_in_xnet_server__f
    http2_in(hit, ARG(http2_in_xnet_server, sc), ARG(http2_in_xnet_server, f));
#endif
    return 0;
}

/* func (rl *clientConnReadLoop) processHeaders(f *MetaHeadersFrame) error; rl.cc is its first field */
PROBE(http2_in_client)
{
#ifdef http2_in_client__f
    http2_in(hit, go_word(ARG(http2_in_client, rl)), ARG(http2_in_client, f));
#endif
    return 0;
}

PROBE(http2_in_xnet_client)
{
#ifdef http2_in_xnet_client__f
    http2_in(hit, go_word(ARG(http2_in_xnet_client, rl)), ARG(http2_in_xnet_client, f));
#endif
    return 0;
}

/* func (t *http2Server) operateHeaders([ctx context.Context,] frame *http2.MetaHeadersFrame, handle ...): which of both
 * depends on grpc's version, so look at what a frame starts with: valid, and the type HEADERS */
PROBE(http2_in_grpc_server)
{
#ifdef http2_in_grpc_server__a
    u64 frame = ARG(http2_in_grpc_server, a), header = go_word(frame);

    if (go_byte(header) != 1 || go_byte(header + 1) != 1)
        frame = ARG(http2_in_grpc_server, c);
    http2_in(hit, ARG(http2_in_grpc_server, t), frame);
#endif
    return 0;
}

PROBE(http2_in_grpc_client)
{
#ifdef http2_in_grpc_client__f
    http2_in(hit, ARG(http2_in_grpc_client, t), ARG(http2_in_grpc_client, f));
#endif
    return 0;
}

/* func (l *loopyWriter) writeHeader(streamID uint32, endStream bool, hf []hpack.HeaderField, onWrite func()) error */
PROBE(http2_out_grpc)
{
#ifdef http2_out_grpc__hf_ptr
    struct http2_headers *r = http2_start(hit, ARG(http2_out_grpc, l), ARG(http2_out_grpc, stream), 1);

    if (!r)
        return 0;
    r->flags = (ARG(http2_out_grpc, end) & 0xff) ? HTTP2_END_STREAM : 0;
    http2_put_fields(r, ARG(http2_out_grpc, hf_ptr), ARG(http2_out_grpc, hf_len));
    http2_headers_submit(r);
#endif
    return 0;
}

/* func (sc *serverConn) writeHeaders(st *stream, headerData *writeResHeaders) error */
static __always_inline void http2_response(struct goinst_hit *hit, u64 connection, u64 data)
{
#if defined(RESPONSE_STREAM) && defined(RESPONSE_CODE) && defined(RESPONSE_HEADER) && defined(RESPONSE_END)
    struct http2_headers *r = http2_start(hit, connection, go_u32(data + RESPONSE_STREAM), 1);

    if (!r)
        return;
    r->status = go_word(data + RESPONSE_CODE);
    r->flags = go_byte(data + RESPONSE_END) ? HTTP2_END_STREAM : 0;
    http2_put_map(r, go_word(data + RESPONSE_HEADER));
    http2_headers_submit(r);
#endif
}

PROBE(http2_out_server)
{
#ifdef http2_out_server__data
    http2_response(hit, ARG(http2_out_server, sc), ARG(http2_out_server, data));
#endif
    return 0;
}

PROBE(http2_out_xnet_server)
{
#ifdef http2_out_xnet_server__data
    http2_response(hit, ARG(http2_out_xnet_server, sc), ARG(http2_out_xnet_server, data));
#endif
    return 0;
}

/* A pseudo-header: it has a number instead of a name. */
#define http2_put_pseudo(r, number, value)                                                                           \
    ({                                                                                                               \
        u64 http2_at = *(volatile u16 *)&(r)->length, http2_v;                                                       \
        if (http2_at <= sizeof((r)->data) - 3 - HTTP2_VALUE) {                                                       \
            http2_v = go_string_at(&(r)->data[http2_at + 3], HTTP2_VALUE, (value));                                  \
            (r)->data[http2_at] = 1;                                                                                 \
            (r)->data[http2_at + 1] = http2_v;                                                                       \
            (r)->data[http2_at + 2] = (number);                                                                      \
            *(volatile u16 *)&(r)->length = http2_at + 3 + http2_v;                                                  \
        }                                                                                                            \
    })

/* func (cs *clientStream) encodeAndWriteHeaders(req *Request) error: before it, the stream has got its number. What the
 * encoder adds by itself (accept-encoding, content-length, a default user-agent) is not in the request. */
static __always_inline void http2_request(struct goinst_hit *hit, u64 stream, u64 method, u64 url, u64 host, u64 header,
                                          u64 body, u64 trailer)
{
#if defined(STREAM_ID) && defined(STREAM_CONN) && defined(URL_SCHEME) && defined(URL_HOST) && defined(URL_PATH) &&     \
    defined(URL_QUERY)
    u32 kind = go_type_hash(body);
    struct http2_headers *r = http2_start(hit, go_word(stream + STREAM_CONN), go_u32(stream + STREAM_ID), 1);

    if (!r)
        return;
    r->flags = (!body || (T_NO_BODY && kind == T_NO_BODY)) && !trailer ? HTTP2_END_STREAM : 0;
    http2_put_pseudo(r, HTTP2_METHOD, method);
    http2_put_pseudo(r, HTTP2_AUTHORITY, go_word(host + 8) ? host : url + URL_HOST);
    http2_put_pseudo(r, HTTP2_SCHEME, url + URL_SCHEME);
    http2_put_pseudo(r, HTTP2_PATH, url + URL_PATH);
    if (go_word(url + URL_QUERY + 8))
        http2_put_pseudo(r, HTTP2_QUERY, url + URL_QUERY);
    http2_put_map(r, header);
    http2_headers_submit(r);
#endif
}

#if defined(REQUEST_METHOD) && defined(REQUEST_URL) && defined(REQUEST_HOST) && defined(REQUEST_HEADER) &&            \
    defined(REQUEST_BODY) && defined(REQUEST_TRAILER)
#define http2_std_request(hit, stream, req)                                                                          \
    http2_request(hit, stream, (req) + REQUEST_METHOD, go_word((req) + REQUEST_URL), (req) + REQUEST_HOST,           \
                  go_word((req) + REQUEST_HEADER), go_word((req) + REQUEST_BODY), go_word((req) + REQUEST_TRAILER))
#else
#define http2_std_request(hit, stream, req)
#endif

PROBE(http2_out_client)
{
#ifdef http2_out_client__req
    u64 request = ARG(http2_out_client, req);

    http2_std_request(hit, ARG(http2_out_client, cs), request);
#endif
    return 0;
}

PROBE(http2_out_xnet_client)
{
#ifdef http2_out_xnet_client__req
    u64 request = ARG(http2_out_xnet_client, req);

    http2_std_request(hit, ARG(http2_out_xnet_client, cs), request);
#endif
    return 0;
}

PROBE(http2_out_new_client)
{
#if defined(http2_out_new_client__req) && defined(CLIENT_METHOD) && defined(CLIENT_URL) && defined(CLIENT_HOST) &&    \
    defined(CLIENT_HEADER) && defined(CLIENT_BODY) && defined(CLIENT_TRAILER)
    u64 req = ARG(http2_out_new_client, req);

    http2_request(hit, ARG(http2_out_new_client, cs), req + CLIENT_METHOD, go_word(req + CLIENT_URL),
                  req + CLIENT_HOST, go_word(req + CLIENT_HEADER), go_word(req + CLIENT_BODY),
                  go_word(req + CLIENT_TRAILER));
#endif
    return 0;
}
