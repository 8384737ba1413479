BPF_PROG_ARRAY(goinst_tails, 128);
struct nethttp_request {
    u64 conn;
    u64 tls;
    u64 response;
    u64 request;
    u64 target;
    u64 copy;
    s64 content_length;
    s64 written;
    u32 method_length;
    u32 uri_length;
    u32 pattern_length;
    u32 block_length;
    u16 status;
    u16 local_port;
    u8 flags;
    u8 ending;
    u8 drained;
    u8 peer_length;
    u8 content_type_length;
    char peer[57];
    char content_type[48];
    char pattern[128];
    char block[512];
} __attribute__((aligned(8)));
static __always_inline struct nethttp_request *nethttp_request_begin(struct goinst_hit *hit)
{
    struct goinst_operation *op = goinst_operation_begin(hit, 1, 0);
    if (op)
        goinst_count(NUMBER);
    return op ? (struct nethttp_request *)op->payload : 0;
}
static __always_inline struct nethttp_request *nethttp_request_current(struct goinst_hit *hit)
{
    struct goinst_operation *op = goinst_operation_find(hit, 1);
    return op ? (struct nethttp_request *)op->payload : 0;
}
static __always_inline struct nethttp_request *nethttp_request_origin(struct goinst_hit *hit)
{
    struct goinst_operation *op = goinst_operation_origin(hit);
    return op && op->head.type == 1 ? (struct nethttp_request *)op->payload : 0;
}
static __always_inline struct nethttp_request *nethttp_request_last(struct goinst_hit *hit)
{
    struct goinst_operation *op = goinst_operation_last(hit, 1);
    return op ? (struct nethttp_request *)op->payload : 0;
}
static __always_inline struct nethttp_request *nethttp_request_begin_keyed(struct goinst_hit *hit, u64 address, u32 number)
{
    struct goinst_operation *op = goinst_operation_begin_keyed(
        hit, 1, 0, address, number);
    if (op)
        goinst_count(NUMBER);
    return op ? (struct nethttp_request *)op->payload : 0;
}
static __always_inline struct nethttp_request *nethttp_request_find_keyed(struct goinst_hit *hit, u64 address, u32 number)
{
    struct goinst_operation *op = goinst_operation_find_keyed(hit, 1, address, number);
    return op ? (struct nethttp_request *)op->payload : 0;
}
static __always_inline void nethttp_request_forget_keyed(struct goinst_hit *hit, u64 address, u32 number)
{
    goinst_operation_forget(hit, address, number);
}
static __always_inline struct goinst_operation *nethttp_request_operation(struct nethttp_request *record)
{
    return (void *)record - offsetof(struct goinst_operation, payload);
}
static __always_inline void nethttp_request_end(struct nethttp_request *record, u64 last)
{
    if (last > sizeof(record->block))
        last = sizeof(record->block);
    goinst_operation_end(nethttp_request_operation(record), offsetof(struct nethttp_request, block) + last,
                         61, 62, 64);
}
struct nethttp_stream {
    u64 state;
    u64 request;
    u64 target;
    u64 copy;
    u64 connection;
    s64 content_length;
    s64 written;
    u32 stream;
    u32 uri_length;
    u32 uri_copied;
    u32 pattern_length;
    u16 status;
    u16 local_port;
    u8 flags;
    u8 ending;
    u8 method_length;
    u8 host_length;
    u8 peer_length;
    u8 agent_length;
    u8 parent_length;
    u8 content_type_length;
    char method[24];
    char host[128];
    char peer[57];
    char agent[192];
    char parent[64];
    char content_type[48];
    char pattern[128];
    char uri[512];
} __attribute__((aligned(8)));
static __always_inline struct nethttp_stream *nethttp_stream_begin(struct goinst_hit *hit)
{
    struct goinst_operation *op = goinst_operation_begin(hit, 2, 0);
    if (op)
        goinst_count(NUMBER);
    return op ? (struct nethttp_stream *)op->payload : 0;
}
static __always_inline struct nethttp_stream *nethttp_stream_current(struct goinst_hit *hit)
{
    struct goinst_operation *op = goinst_operation_find(hit, 2);
    return op ? (struct nethttp_stream *)op->payload : 0;
}
static __always_inline struct nethttp_stream *nethttp_stream_origin(struct goinst_hit *hit)
{
    struct goinst_operation *op = goinst_operation_origin(hit);
    return op && op->head.type == 2 ? (struct nethttp_stream *)op->payload : 0;
}
static __always_inline struct nethttp_stream *nethttp_stream_last(struct goinst_hit *hit)
{
    struct goinst_operation *op = goinst_operation_last(hit, 2);
    return op ? (struct nethttp_stream *)op->payload : 0;
}
static __always_inline struct nethttp_stream *nethttp_stream_begin_keyed(struct goinst_hit *hit, u64 address, u32 number)
{
    struct goinst_operation *op = goinst_operation_begin_keyed(
        hit, 2, 0, address, number);
    if (op)
        goinst_count(NUMBER);
    return op ? (struct nethttp_stream *)op->payload : 0;
}
static __always_inline struct nethttp_stream *nethttp_stream_find_keyed(struct goinst_hit *hit, u64 address, u32 number)
{
    struct goinst_operation *op = goinst_operation_find_keyed(hit, 2, address, number);
    return op ? (struct nethttp_stream *)op->payload : 0;
}
static __always_inline void nethttp_stream_forget_keyed(struct goinst_hit *hit, u64 address, u32 number)
{
    goinst_operation_forget(hit, address, number);
}
static __always_inline struct goinst_operation *nethttp_stream_operation(struct nethttp_stream *record)
{
    return (void *)record - offsetof(struct goinst_operation, payload);
}
static __always_inline void nethttp_stream_end(struct nethttp_stream *record, u64 last)
{
    if (last > sizeof(record->uri))
        last = sizeof(record->uri);
    goinst_operation_end(nethttp_stream_operation(record), offsetof(struct nethttp_stream, uri) + last,
                         65, 66, 68);
}
struct nethttp_client {
    u64 header;
    s64 content_length;
    s64 response_length;
    u32 path_length;
    u32 path_copied;
    u32 query_length;
    u32 frame;
    u32 inner;
    u32 attempts;
    u16 status;
    u16 peer_port;
    u8 major;
    u8 minor;
    u8 context;
    u8 flags;
    u8 method_length;
    u8 scheme_length;
    u8 host_length;
    u8 peer_length;
    u8 content_type_length;
    char method[24];
    char scheme[8];
    char host[128];
    char peer[16];
    char content_type[48];
    char query[256];
    char path[512];
} __attribute__((aligned(8)));
static __always_inline struct nethttp_client *nethttp_client_begin(struct goinst_hit *hit)
{
    struct goinst_operation *op = goinst_operation_begin(hit, 3, 1);
    if (op)
        goinst_count(NUMBER);
    return op ? (struct nethttp_client *)op->payload : 0;
}
static __always_inline struct nethttp_client *nethttp_client_current(struct goinst_hit *hit)
{
    struct goinst_operation *op = goinst_operation_find(hit, 3);
    return op ? (struct nethttp_client *)op->payload : 0;
}
static __always_inline struct nethttp_client *nethttp_client_origin(struct goinst_hit *hit)
{
    struct goinst_operation *op = goinst_operation_origin(hit);
    return op && op->head.type == 3 ? (struct nethttp_client *)op->payload : 0;
}
static __always_inline struct nethttp_client *nethttp_client_last(struct goinst_hit *hit)
{
    struct goinst_operation *op = goinst_operation_last(hit, 3);
    return op ? (struct nethttp_client *)op->payload : 0;
}
static __always_inline struct nethttp_client *nethttp_client_begin_keyed(struct goinst_hit *hit, u64 address, u32 number)
{
    struct goinst_operation *op = goinst_operation_begin_keyed(
        hit, 3, 1, address, number);
    if (op)
        goinst_count(NUMBER);
    return op ? (struct nethttp_client *)op->payload : 0;
}
static __always_inline struct nethttp_client *nethttp_client_find_keyed(struct goinst_hit *hit, u64 address, u32 number)
{
    struct goinst_operation *op = goinst_operation_find_keyed(hit, 3, address, number);
    return op ? (struct nethttp_client *)op->payload : 0;
}
static __always_inline void nethttp_client_forget_keyed(struct goinst_hit *hit, u64 address, u32 number)
{
    goinst_operation_forget(hit, address, number);
}
static __always_inline struct goinst_operation *nethttp_client_operation(struct nethttp_client *record)
{
    return (void *)record - offsetof(struct goinst_operation, payload);
}
static __always_inline void nethttp_client_end(struct nethttp_client *record, u64 last)
{
    if (last > sizeof(record->path))
        last = sizeof(record->path);
    goinst_operation_end(nethttp_client_operation(record), offsetof(struct nethttp_client, path) + last,
                         69, 70, 72);
}
struct nethttp_error {
    struct goinst_record goinst;
    u32 errno;
    u8 kind;
    u8 op_length;
    u8 text_length;
    char op[16];
    char text[128];
} __attribute__((aligned(8)));
static __always_inline struct nethttp_error *nethttp_error_reserve(struct goinst_operation *op, struct goinst_hit *hit)
{
    struct nethttp_error *record;
#ifdef GOINST_COUNT_ONLY
    return 0;
#endif
    if (op && goinst_operation_left_out(op))
        return 0;
    record = goinst_events.ringbuf_reserve(sizeof(struct nethttp_error));
    if (!record) { /* twice: as in goinst_operation_end */
        u32 why = goinst_ring_has(sizeof(struct nethttp_error)) ? 74 : 73;

        record = goinst_events.ringbuf_reserve(sizeof(struct nethttp_error));
        if (!record) {
            goinst_count(why);
            return 0;
        }
    }
    record->goinst.type = 4;
    record->goinst.flags = 0;
    record->goinst.tgid = hit->tgid;
    record->goinst.span_id = op ? op->head.span_id : 0;
    if (op)
        op->facts |= 1UL << (4 & 63);
    return record;
}
static __always_inline int nethttp_error_sent(struct goinst_operation *op)
{
    return op && (op->facts & 1UL << (4 & 63)) != 0;
}
static __always_inline void nethttp_error_submit(struct nethttp_error *record)
{
    goinst_events.ringbuf_submit(record, BPF_RB_NO_WAKEUP);
}
static __always_inline void nethttp_error_discard(struct nethttp_error *record)
{
    goinst_events.ringbuf_discard(record, BPF_RB_NO_WAKEUP);
}
struct nethttp_line {
    struct goinst_record goinst;
    u32 uri_length;
    u32 uri_copied;
    u8 minor;
    u8 method_length;
    u8 host_length;
    u8 agent_length;
    u8 parent_length;
    char method[24];
    char host[128];
    char agent[192];
    char parent[64];
    char uri[512];
} __attribute__((aligned(8)));
static __always_inline struct nethttp_line *nethttp_line_reserve(struct goinst_operation *op, struct goinst_hit *hit)
{
    struct nethttp_line *record;
#ifdef GOINST_COUNT_ONLY
    return 0;
#endif
    if (op && goinst_operation_left_out(op))
        return 0;
    record = goinst_events.ringbuf_reserve(sizeof(struct nethttp_line));
    if (!record) { /* twice: as in goinst_operation_end */
        u32 why = goinst_ring_has(sizeof(struct nethttp_line)) ? 76 : 75;

        record = goinst_events.ringbuf_reserve(sizeof(struct nethttp_line));
        if (!record) {
            goinst_count(why);
            return 0;
        }
    }
    record->goinst.type = 5;
    record->goinst.flags = 0;
    record->goinst.tgid = hit->tgid;
    record->goinst.span_id = op ? op->head.span_id : 0;
    if (op)
        op->facts |= 1UL << (5 & 63);
    return record;
}
static __always_inline int nethttp_line_sent(struct goinst_operation *op)
{
    return op && (op->facts & 1UL << (5 & 63)) != 0;
}
static __always_inline void nethttp_line_submit(struct nethttp_line *record)
{
    goinst_events.ringbuf_submit(record, BPF_RB_NO_WAKEUP);
}
static __always_inline void nethttp_line_discard(struct nethttp_line *record)
{
    goinst_events.ringbuf_discard(record, BPF_RB_NO_WAKEUP);
}
struct nethttp_headers {
    struct goinst_record goinst;
    u8 response;
    u8 cut;
    u16 length;
    char data[2048];
} __attribute__((aligned(8)));
static __always_inline struct nethttp_headers *nethttp_headers_reserve(struct goinst_operation *op, struct goinst_hit *hit)
{
    struct nethttp_headers *record;
#ifdef GOINST_COUNT_ONLY
    return 0;
#endif
    if (op && goinst_operation_left_out(op))
        return 0;
    record = goinst_events.ringbuf_reserve(sizeof(struct nethttp_headers));
    if (!record) { /* twice: as in goinst_operation_end */
        u32 why = goinst_ring_has(sizeof(struct nethttp_headers)) ? 78 : 77;

        record = goinst_events.ringbuf_reserve(sizeof(struct nethttp_headers));
        if (!record) {
            goinst_count(why);
            return 0;
        }
    }
    record->goinst.type = 6;
    record->goinst.flags = 0;
    record->goinst.tgid = hit->tgid;
    record->goinst.span_id = op ? op->head.span_id : 0;
    if (op)
        op->facts |= 1UL << (6 & 63);
    return record;
}
static __always_inline int nethttp_headers_sent(struct goinst_operation *op)
{
    return op && (op->facts & 1UL << (6 & 63)) != 0;
}
static __always_inline void nethttp_headers_submit(struct nethttp_headers *record)
{
    goinst_events.ringbuf_submit(record, BPF_RB_NO_WAKEUP);
}
static __always_inline void nethttp_headers_discard(struct nethttp_headers *record)
{
    goinst_events.ringbuf_discard(record, BPF_RB_NO_WAKEUP);
}
struct nethttp_route {
    struct goinst_record goinst;
    u8 router;
    u8 count;
    u8 length0;
    u8 length1;
    u8 length2;
    u8 length3;
    char part0[128];
    char part1[128];
    char part2[128];
    char part3[128];
} __attribute__((aligned(8)));
static __always_inline struct nethttp_route *nethttp_route_reserve(struct goinst_operation *op, struct goinst_hit *hit)
{
    struct nethttp_route *record;
#ifdef GOINST_COUNT_ONLY
    return 0;
#endif
    if (op && goinst_operation_left_out(op))
        return 0;
    record = goinst_events.ringbuf_reserve(sizeof(struct nethttp_route));
    if (!record) { /* twice: as in goinst_operation_end */
        u32 why = goinst_ring_has(sizeof(struct nethttp_route)) ? 80 : 79;

        record = goinst_events.ringbuf_reserve(sizeof(struct nethttp_route));
        if (!record) {
            goinst_count(why);
            return 0;
        }
    }
    record->goinst.type = 7;
    record->goinst.flags = 0;
    record->goinst.tgid = hit->tgid;
    record->goinst.span_id = op ? op->head.span_id : 0;
    if (op)
        op->facts |= 1UL << (7 & 63);
    return record;
}
static __always_inline int nethttp_route_sent(struct goinst_operation *op)
{
    return op && (op->facts & 1UL << (7 & 63)) != 0;
}
static __always_inline void nethttp_route_submit(struct nethttp_route *record)
{
    goinst_events.ringbuf_submit(record, BPF_RB_NO_WAKEUP);
}
static __always_inline void nethttp_route_discard(struct nethttp_route *record)
{
    goinst_events.ringbuf_discard(record, BPF_RB_NO_WAKEUP);
}
struct nethttp_tls {
    struct goinst_record goinst;
    u16 version;
    u16 cipher;
    u8 name_length;
    char name[128];
} __attribute__((aligned(8)));
static __always_inline struct nethttp_tls *nethttp_tls_reserve(struct goinst_operation *op, struct goinst_hit *hit)
{
    struct nethttp_tls *record;
#ifdef GOINST_COUNT_ONLY
    return 0;
#endif
    if (op && goinst_operation_left_out(op))
        return 0;
    record = goinst_events.ringbuf_reserve(sizeof(struct nethttp_tls));
    if (!record) { /* twice: as in goinst_operation_end */
        u32 why = goinst_ring_has(sizeof(struct nethttp_tls)) ? 82 : 81;

        record = goinst_events.ringbuf_reserve(sizeof(struct nethttp_tls));
        if (!record) {
            goinst_count(why);
            return 0;
        }
    }
    record->goinst.type = 8;
    record->goinst.flags = 0;
    record->goinst.tgid = hit->tgid;
    record->goinst.span_id = op ? op->head.span_id : 0;
    if (op)
        op->facts |= 1UL << (8 & 63);
    return record;
}
static __always_inline int nethttp_tls_sent(struct goinst_operation *op)
{
    return op && (op->facts & 1UL << (8 & 63)) != 0;
}
static __always_inline void nethttp_tls_submit(struct nethttp_tls *record)
{
    goinst_events.ringbuf_submit(record, BPF_RB_NO_WAKEUP);
}
static __always_inline void nethttp_tls_discard(struct nethttp_tls *record)
{
    goinst_events.ringbuf_discard(record, BPF_RB_NO_WAKEUP);
}
struct http2_headers {
    struct goinst_record goinst;
    u64 at;
    u64 parent;
    u64 trace_high;
    u64 trace_low;
    u64 connection;
    u32 stream;
    u16 status;
    u16 length;
    u8 out;
    u8 flags;
    char data[2048];
} __attribute__((aligned(8)));
static __always_inline struct http2_headers *http2_headers_reserve(struct goinst_operation *op, struct goinst_hit *hit)
{
    struct http2_headers *record;

    if (op && goinst_operation_left_out(op))
        return 0;
    record = goinst_events.ringbuf_reserve(sizeof(struct http2_headers));
    if (!record) { /* twice: as in goinst_operation_end */
        u32 why = goinst_ring_has(sizeof(struct http2_headers)) ? 84 : 83;

        record = goinst_events.ringbuf_reserve(sizeof(struct http2_headers));
        if (!record) {
            goinst_count(why);
            return 0;
        }
    }
    record->goinst.type = 9;
    record->goinst.flags = 0;
    record->goinst.tgid = hit->tgid;
    record->goinst.span_id = op ? op->head.span_id : 0;
    if (op)
        op->facts |= 1UL << (9 & 63);
    return record;
}
static __always_inline int http2_headers_sent(struct goinst_operation *op)
{
    return op && (op->facts & 1UL << (9 & 63)) != 0;
}
static __always_inline void http2_headers_submit(struct http2_headers *record)
{
    goinst_events.ringbuf_submit(record, BPF_RB_NO_WAKEUP);
}
static __always_inline void http2_headers_discard(struct http2_headers *record)
{
    goinst_events.ringbuf_discard(record, BPF_RB_NO_WAKEUP);
}
struct jsonrpc_piece {
    struct goinst_record goinst;
    u32 offset;
    u32 length;
    u8 reply;
    char data[4096];
} __attribute__((aligned(8)));
static __always_inline struct jsonrpc_piece *jsonrpc_piece_reserve(struct goinst_operation *op, struct goinst_hit *hit)
{
    struct jsonrpc_piece *record;
#ifdef GOINST_COUNT_ONLY
    return 0;
#endif
    if (op && goinst_operation_left_out(op))
        return 0;
    record = goinst_events.ringbuf_reserve(sizeof(struct jsonrpc_piece));
    if (!record) { /* twice: as in goinst_operation_end */
        u32 why = goinst_ring_has(sizeof(struct jsonrpc_piece)) ? 86 : 85;

        record = goinst_events.ringbuf_reserve(sizeof(struct jsonrpc_piece));
        if (!record) {
            goinst_count(why);
            return 0;
        }
    }
    record->goinst.type = 10;
    record->goinst.flags = 0;
    record->goinst.tgid = hit->tgid;
    record->goinst.span_id = op ? op->head.span_id : 0;
    if (op)
        op->facts |= 1UL << (10 & 63);
    return record;
}
static __always_inline int jsonrpc_piece_sent(struct goinst_operation *op)
{
    return op && (op->facts & 1UL << (10 & 63)) != 0;
}
static __always_inline void jsonrpc_piece_submit(struct jsonrpc_piece *record)
{
    goinst_events.ringbuf_submit(record, BPF_RB_NO_WAKEUP);
}
static __always_inline void jsonrpc_piece_discard(struct jsonrpc_piece *record)
{
    goinst_events.ringbuf_discard(record, BPF_RB_NO_WAKEUP);
}
struct jsonrpc_request {
    struct goinst_record goinst;
    u64 length;
    u32 head_length;
    u32 body_length;
    u8 source;
    u8 chunked;
    char head[512];
    char body[1024];
} __attribute__((aligned(8)));
static __always_inline struct jsonrpc_request *jsonrpc_request_reserve(struct goinst_operation *op, struct goinst_hit *hit)
{
    struct jsonrpc_request *record;
#ifdef GOINST_COUNT_ONLY
    return 0;
#endif
    if (op && goinst_operation_left_out(op))
        return 0;
    record = goinst_events.ringbuf_reserve(sizeof(struct jsonrpc_request));
    if (!record) { /* twice: as in goinst_operation_end */
        u32 why = goinst_ring_has(sizeof(struct jsonrpc_request)) ? 88 : 87;

        record = goinst_events.ringbuf_reserve(sizeof(struct jsonrpc_request));
        if (!record) {
            goinst_count(why);
            return 0;
        }
    }
    record->goinst.type = 11;
    record->goinst.flags = 0;
    record->goinst.tgid = hit->tgid;
    record->goinst.span_id = op ? op->head.span_id : 0;
    if (op)
        op->facts |= 1UL << (11 & 63);
    return record;
}
static __always_inline int jsonrpc_request_sent(struct goinst_operation *op)
{
    return op && (op->facts & 1UL << (11 & 63)) != 0;
}
static __always_inline void jsonrpc_request_submit(struct jsonrpc_request *record)
{
    goinst_events.ringbuf_submit(record, BPF_RB_NO_WAKEUP);
}
static __always_inline void jsonrpc_request_discard(struct jsonrpc_request *record)
{
    goinst_events.ringbuf_discard(record, BPF_RB_NO_WAKEUP);
}
struct jsonrpc_response {
    struct goinst_record goinst;
    u64 length;
    u32 body_length;
    u16 status;
    u16 query_length;
    u8 source;
    char query[64];
    char body[1024];
} __attribute__((aligned(8)));
static __always_inline struct jsonrpc_response *jsonrpc_response_reserve(struct goinst_operation *op, struct goinst_hit *hit)
{
    struct jsonrpc_response *record;
#ifdef GOINST_COUNT_ONLY
    return 0;
#endif
    if (op && goinst_operation_left_out(op))
        return 0;
    record = goinst_events.ringbuf_reserve(sizeof(struct jsonrpc_response));
    if (!record) { /* twice: as in goinst_operation_end */
        u32 why = goinst_ring_has(sizeof(struct jsonrpc_response)) ? 90 : 89;

        record = goinst_events.ringbuf_reserve(sizeof(struct jsonrpc_response));
        if (!record) {
            goinst_count(why);
            return 0;
        }
    }
    record->goinst.type = 12;
    record->goinst.flags = 0;
    record->goinst.tgid = hit->tgid;
    record->goinst.span_id = op ? op->head.span_id : 0;
    if (op)
        op->facts |= 1UL << (12 & 63);
    return record;
}
static __always_inline int jsonrpc_response_sent(struct goinst_operation *op)
{
    return op && (op->facts & 1UL << (12 & 63)) != 0;
}
static __always_inline void jsonrpc_response_submit(struct jsonrpc_response *record)
{
    goinst_events.ringbuf_submit(record, BPF_RB_NO_WAKEUP);
}
static __always_inline void jsonrpc_response_discard(struct jsonrpc_response *record)
{
    goinst_events.ringbuf_discard(record, BPF_RB_NO_WAKEUP);
}
struct jsonrpc_event {
    struct goinst_record goinst;
    u64 time;
    u64 stream;
    u64 request;
    u64 length;
    u32 offset;
    u32 copied;
    u8 begins;
    u8 told;
    u8 last;
    char data[4096];
} __attribute__((aligned(8)));
static __always_inline struct jsonrpc_event *jsonrpc_event_reserve(struct goinst_operation *op, struct goinst_hit *hit)
{
    struct jsonrpc_event *record;

    if (op && goinst_operation_left_out(op))
        return 0;
    record = goinst_events.ringbuf_reserve(sizeof(struct jsonrpc_event));
    if (!record) { /* twice: as in goinst_operation_end */
        u32 why = goinst_ring_has(sizeof(struct jsonrpc_event)) ? 92 : 91;

        record = goinst_events.ringbuf_reserve(sizeof(struct jsonrpc_event));
        if (!record) {
            goinst_count(why);
            return 0;
        }
    }
    record->goinst.type = 13;
    record->goinst.flags = 0;
    record->goinst.tgid = hit->tgid;
    record->goinst.span_id = op ? op->head.span_id : 0;
    if (op)
        op->facts |= 1UL << (13 & 63);
    return record;
}
static __always_inline int jsonrpc_event_sent(struct goinst_operation *op)
{
    return op && (op->facts & 1UL << (13 & 63)) != 0;
}
static __always_inline void jsonrpc_event_submit(struct jsonrpc_event *record)
{
    goinst_events.ringbuf_submit(record, BPF_RB_NO_WAKEUP);
}
static __always_inline void jsonrpc_event_discard(struct jsonrpc_event *record)
{
    goinst_events.ringbuf_discard(record, BPF_RB_NO_WAKEUP);
}
struct jsonstream_piece {
    struct goinst_record goinst;
    u64 time;
    u64 stream;
    u64 length;
    u64 trace_high;
    u64 trace_low;
    u64 parent;
    u32 offset;
    u32 copied;
    u8 source;
    u8 direction;
    u8 final;
    u8 last;
    u8 tail_length;
    char tail[64];
    char data[1024];
} __attribute__((aligned(8)));
static __always_inline struct jsonstream_piece *jsonstream_piece_reserve(struct goinst_operation *op, struct goinst_hit *hit)
{
    struct jsonstream_piece *record;

    if (op && goinst_operation_left_out(op))
        return 0;
    record = goinst_events.ringbuf_reserve(sizeof(struct jsonstream_piece));
    if (!record) { /* twice: as in goinst_operation_end */
        u32 why = goinst_ring_has(sizeof(struct jsonstream_piece)) ? 94 : 93;

        record = goinst_events.ringbuf_reserve(sizeof(struct jsonstream_piece));
        if (!record) {
            goinst_count(why);
            return 0;
        }
    }
    record->goinst.type = 14;
    record->goinst.flags = 0;
    record->goinst.tgid = hit->tgid;
    record->goinst.span_id = op ? op->head.span_id : 0;
    if (op)
        op->facts |= 1UL << (14 & 63);
    return record;
}
static __always_inline int jsonstream_piece_sent(struct goinst_operation *op)
{
    return op && (op->facts & 1UL << (14 & 63)) != 0;
}
static __always_inline void jsonstream_piece_submit(struct jsonstream_piece *record)
{
    goinst_events.ringbuf_submit(record, BPF_RB_NO_WAKEUP);
}
static __always_inline void jsonstream_piece_discard(struct jsonstream_piece *record)
{
    goinst_events.ringbuf_discard(record, BPF_RB_NO_WAKEUP);
}
struct grpc_server {
    u64 stream;
    u64 metadata;
    u64 sent_bytes;
    u64 received_bytes;
    u64 first_response;
    u32 sent;
    u32 received;
    u64 deadline_wall;
    s64 deadline_ext;
    u32 code;
    u32 message_length;
    u32 message_copied;
    u32 stream_id;
    u16 method_length;
    u8 flags;
    u8 authority_length;
    u8 encoding_length;
    u8 answer_length;
    u8 agent_length;
    u8 context_length;
    u8 kind;
    u8 peer_kind;
    u8 peer_length;
    u8 local_kind;
    u8 local_length;
    u16 peer_port;
    u16 local_port;
    char peer[64];
    char local[64];
    char authority[64];
    char encoding[16];
    char answer[16];
    char agent[64];
    char context[56];
    char method[128];
    char tail[336];
} __attribute__((aligned(8)));
static __always_inline struct grpc_server *grpc_server_begin(struct goinst_hit *hit)
{
    struct goinst_operation *op = goinst_operation_begin(hit, 15, 0);
    if (op)
        goinst_count(NUMBER);
    return op ? (struct grpc_server *)op->payload : 0;
}
static __always_inline struct grpc_server *grpc_server_current(struct goinst_hit *hit)
{
    struct goinst_operation *op = goinst_operation_find(hit, 15);
    return op ? (struct grpc_server *)op->payload : 0;
}
static __always_inline struct grpc_server *grpc_server_origin(struct goinst_hit *hit)
{
    struct goinst_operation *op = goinst_operation_origin(hit);
    return op && op->head.type == 15 ? (struct grpc_server *)op->payload : 0;
}
static __always_inline struct grpc_server *grpc_server_last(struct goinst_hit *hit)
{
    struct goinst_operation *op = goinst_operation_last(hit, 15);
    return op ? (struct grpc_server *)op->payload : 0;
}
static __always_inline struct grpc_server *grpc_server_begin_keyed(struct goinst_hit *hit, u64 address, u32 number)
{
    struct goinst_operation *op = goinst_operation_begin_keyed(
        hit, 15, 0, address, number);
    if (op)
        goinst_count(NUMBER);
    return op ? (struct grpc_server *)op->payload : 0;
}
static __always_inline struct grpc_server *grpc_server_find_keyed(struct goinst_hit *hit, u64 address, u32 number)
{
    struct goinst_operation *op = goinst_operation_find_keyed(hit, 15, address, number);
    return op ? (struct grpc_server *)op->payload : 0;
}
static __always_inline void grpc_server_forget_keyed(struct goinst_hit *hit, u64 address, u32 number)
{
    goinst_operation_forget(hit, address, number);
}
static __always_inline struct goinst_operation *grpc_server_operation(struct grpc_server *record)
{
    return (void *)record - offsetof(struct goinst_operation, payload);
}
static __always_inline void grpc_server_end(struct grpc_server *record, u64 last)
{
    if (last > sizeof(record->tail))
        last = sizeof(record->tail);
    goinst_operation_end(grpc_server_operation(record), offsetof(struct grpc_server, tail) + last,
                         95, 96, 98);
}
struct grpc_client {
    u64 sent_bytes;
    u64 received_bytes;
    u64 first_response;
    u32 sent;
    u32 received;
    u32 attempts;
    u8 context;
    u8 error;
    u8 kind;
    u64 deadline_wall;
    s64 deadline_ext;
    u32 code;
    u32 message_length;
    u32 message_copied;
    u32 stream_id;
    u16 method_length;
    u8 flags;
    u8 authority_length;
    u8 encoding_length;
    u8 answer_length;
    u8 agent_length;
    u8 context_length;
    u8 peer_kind;
    u8 peer_length;
    u8 local_kind;
    u8 local_length;
    u16 peer_port;
    u16 local_port;
    char peer[64];
    char local[64];
    char authority[64];
    char encoding[16];
    char answer[16];
    char method[128];
    char tail[256];
} __attribute__((aligned(8)));
static __always_inline struct grpc_client *grpc_client_begin(struct goinst_hit *hit)
{
    struct goinst_operation *op = goinst_operation_begin(hit, 16, 1);
    if (op)
        goinst_count(NUMBER);
    return op ? (struct grpc_client *)op->payload : 0;
}
static __always_inline struct grpc_client *grpc_client_current(struct goinst_hit *hit)
{
    struct goinst_operation *op = goinst_operation_find(hit, 16);
    return op ? (struct grpc_client *)op->payload : 0;
}
static __always_inline struct grpc_client *grpc_client_origin(struct goinst_hit *hit)
{
    struct goinst_operation *op = goinst_operation_origin(hit);
    return op && op->head.type == 16 ? (struct grpc_client *)op->payload : 0;
}
static __always_inline struct grpc_client *grpc_client_last(struct goinst_hit *hit)
{
    struct goinst_operation *op = goinst_operation_last(hit, 16);
    return op ? (struct grpc_client *)op->payload : 0;
}
static __always_inline struct grpc_client *grpc_client_begin_keyed(struct goinst_hit *hit, u64 address, u32 number)
{
    struct goinst_operation *op = goinst_operation_begin_keyed(
        hit, 16, 1, address, number);
    if (op)
        goinst_count(NUMBER);
    return op ? (struct grpc_client *)op->payload : 0;
}
static __always_inline struct grpc_client *grpc_client_find_keyed(struct goinst_hit *hit, u64 address, u32 number)
{
    struct goinst_operation *op = goinst_operation_find_keyed(hit, 16, address, number);
    return op ? (struct grpc_client *)op->payload : 0;
}
static __always_inline void grpc_client_forget_keyed(struct goinst_hit *hit, u64 address, u32 number)
{
    goinst_operation_forget(hit, address, number);
}
static __always_inline struct goinst_operation *grpc_client_operation(struct grpc_client *record)
{
    return (void *)record - offsetof(struct goinst_operation, payload);
}
static __always_inline void grpc_client_end(struct grpc_client *record, u64 last)
{
    if (last > sizeof(record->tail))
        last = sizeof(record->tail);
    goinst_operation_end(grpc_client_operation(record), offsetof(struct grpc_client, tail) + last,
                         99, 100, 102);
}
struct grpc_metadata {
    struct goinst_record goinst;
    u32 value_whole;
    u16 value_length;
    u8 key_length;
    char key[64];
    char value[256];
} __attribute__((aligned(8)));
static __always_inline struct grpc_metadata *grpc_metadata_reserve(struct goinst_operation *op, struct goinst_hit *hit)
{
    struct grpc_metadata *record;
#ifdef GOINST_COUNT_ONLY
    return 0;
#endif
    if (op && goinst_operation_left_out(op))
        return 0;
    record = goinst_events.ringbuf_reserve(sizeof(struct grpc_metadata));
    if (!record) { /* twice: as in goinst_operation_end */
        u32 why = goinst_ring_has(sizeof(struct grpc_metadata)) ? 104 : 103;

        record = goinst_events.ringbuf_reserve(sizeof(struct grpc_metadata));
        if (!record) {
            goinst_count(why);
            return 0;
        }
    }
    record->goinst.type = 17;
    record->goinst.flags = 0;
    record->goinst.tgid = hit->tgid;
    record->goinst.span_id = op ? op->head.span_id : 0;
    if (op)
        op->facts |= 1UL << (17 & 63);
    return record;
}
static __always_inline int grpc_metadata_sent(struct goinst_operation *op)
{
    return op && (op->facts & 1UL << (17 & 63)) != 0;
}
static __always_inline void grpc_metadata_submit(struct grpc_metadata *record)
{
    goinst_events.ringbuf_submit(record, BPF_RB_NO_WAKEUP);
}
static __always_inline void grpc_metadata_discard(struct grpc_metadata *record)
{
    goinst_events.ringbuf_discard(record, BPF_RB_NO_WAKEUP);
}
#define NETHTTP_TLS 1
#define NETHTTP_HIJACKED 2
#define NETHTTP_BLOCK_CUT 8
#define NETHTTP_LINE_SENT 16
#define NETHTTP_XNET 32
#define NETHTTP_ESCAPED 16
#define NETHTTP_USER 32
#define NETHTTP_REUSED 64
#define NETHTTP_CONNECTED 128
#define NETHTTP_RETURNED 0
#define NETHTTP_PANICKED 1
#define NETHTTP_EXITED 2
#define NETHTTP_ABORTED 3
#define NETHTTP_LEFT 4
#define NETHTTP_NOT_SEEN 5
#define NETHTTP_OTHER_ERROR 0
#define NETHTTP_ERRNO_ERROR 1
#define NETHTTP_TEXT_ERROR 2
#define NETHTTP_DNS_ERROR 3
#define NETHTTP_TIMEOUT_ERROR 4
#define NETHTTP_TLS_ERROR 5
#define NETHTTP_CANCELED_ERROR 6
#define NETHTTP_ONE_ROUTER 0
#define NETHTTP_CHI_ROUTER 1
#define NETHTTP_GORILLA_ROUTER 2
#define NETHTTP_VALUE 254
#define RESPONSE_CONN 0
#define RESPONSE_STATUS 120
#define RESPONSE_WRITTEN 104
#define RESPONSE_HEADER 88
#define RESPONSE_REQ 8
#define RESPONSE_BODY 16
#define CONN_RWC 16
#define CONN_REMOTE_ADDR 32
#define CONN_TLS_STATE 48
#define CONN_BUFR 80
#define CONN_CURRENT 112
#define CONN_HIJACKED 136
#define READER_CONN 24
#define READER_BUF 0
#define READER_R 40
#define READER_W 48
#define REQUEST_METHOD 0
#define REQUEST_URI 192
#define REQUEST_HOST 128
#define REQUEST_PROTO_MINOR 48
#define REQUEST_HEADER 56
#define REQUEST_CONTEXT 248
#define REQUEST_CONTENT_LENGTH 88
#define REQUEST_REMOTE_ADDR 176
#define REQUEST_TLS 208
#define REQUEST_URL 16
#define REQUEST_BODY 64
#define URL_RAW_QUERY 88
#define WRITER_BUF 16
#define WRITER_N 40
#define BODY_EOF 52
#define RESPONSE_LEFT 224
#define REQUEST_PATTERN 232
#define CONN_ERROR 56
#define NETFD_LADDR 96
#define NETFD_RADDR 112
#define TCPADDR_IP 0
#define TCPADDR_PORT 24
#define FIELD_OFFSET_WHOLE 120
#define TLS_CONN_CONN 0
#define TLS_VERSION 0
#define TLS_CIPHER 4
#define TLS_SERVER_NAME 32
#define URL_SCHEME 0
#define URL_USER 32
#define URL_HOST 40
#define URL_PATH 56
#define URL_RAW_PATH 104
#define RESPONSE_CODE 16
#define RESPONSE_MAJOR 40
#define RESPONSE_MINOR 48
#define RESPONSE_HEADERS 56
#define RESPONSE_LENGTH 80
#define RESPONSE_TLS 136
#define PCONN_CONN 80
#define PCONN_WRITER 112
#define PCONN_REUSED 272
#define OP_ERROR_OP 0
#define OP_ERROR_ERR 64
#define SYSCALL_ERROR_ERR 16
#define DNS_ERROR_ERR 16
#define G_PANIC 32
#define PANIC_ARG 0
#define PANIC_GOEXIT 90
#define H2_STATE 0
#define H2_STREAM 0
#define H2_CONN 16
#define H2_RESPONSE 32
#define H2_STATUS 72
#define H2_WRITTEN 96
#define H2_STREAM_ID 8
#define H2_STREAM_STATE 96
#define H2_STREAM_RESET 104
#define H2_NET_CONN 16
#define H2_CLIENT_CONN 8
#define H2_CLIENT_NEXT 184
#define H2_CLIENT_WRITER 360
#define T_RESPONSE ADDRESS
#define T_H2_WRITER ADDRESS
#define T_TCP_CONN ADDRESS
#define T_TLS_CONN ADDRESS
#define T_HTTP_BODY ADDRESS
#define T_TLS_ERROR ADDRESS
#define T_NET_CONN ADDRESS
#define T_NO_BODY ADDRESS
#define T_OP_ERROR ADDRESS
#define T_SYSCALL_ERROR ADDRESS
#define T_READ_ERROR ADDRESS
#define T_NOTHING_WRITTEN ADDRESS
#define T_WRAP_ERROR ADDRESS
#define T_ERRNO ADDRESS
#define T_ERROR_STRING ADDRESS
#define T_DNS_ERROR ADDRESS
#define T_DEADLINE ADDRESS
#define T_POLL_DEADLINE ADDRESS
#define T_NET_TIMEOUT ADDRESS
#define T_NET_CANCELED ADDRESS
#define T_TLS_TIMEOUT ADDRESS
#define T_HTTP_TIMEOUT ADDRESS
#define T_HTTP_ERROR 0
#define T_H2_ERROR ADDRESS
#define T_CERTIFICATE ADDRESS
#define T_AUTHORITY ADDRESS
#define T_HOSTNAME ADDRESS
#define T_INVALID ADDRESS
#define T_RECORD_HEADER ADDRESS
#define T_ALERT ADDRESS
#define NETHTTP_CAPTURE 
#define nethttp_accept__bias 0UL
#define nethttp_accept__c ((u64)ctx->ax)
#define nethttp_serve__bias 0UL
#define nethttp_serve__sh_srv ((u64)ctx->ax)
#define nethttp_serve__rw_type ((u64)ctx->bx)
#define nethttp_serve__rw_data ((u64)ctx->cx)
#define nethttp_serve__req ((u64)ctx->di)
#define nethttp_finish__bias 0UL
#define nethttp_finish__c ((u64)ctx->ax)
#define nethttp_leave__bias 0UL
#define nethttp_stream_run__sc 0
#define nethttp_stream_run__rw 0
#define nethttp_stream_run__req 0
#define nethttp_stream_run__handler 0
#define nethttp_stream_done__bias 0UL
#define nethttp_xnet_run__sc 0
#define nethttp_xnet_run__rw 0
#define nethttp_xnet_run__req 0
#define nethttp_xnet_run__handler 0
#define nethttp_call__bias 0UL
#define nethttp_call__t ((u64)ctx->ax)
#define nethttp_call__req ((u64)ctx->bx)
#define nethttp_call__result_resp ((u64)ctx->ax)
#define nethttp_call__result_err_type ((u64)ctx->bx)
#define nethttp_call__result_err_data ((u64)ctx->cx)
#define nethttp_call_done__t ((u64)ctx->ax)
#define nethttp_call_done__req ((u64)ctx->bx)
#define nethttp_call_done__result_resp ((u64)ctx->ax)
#define nethttp_call_done__result_err_type ((u64)ctx->bx)
#define nethttp_call_done__result_err_data ((u64)ctx->cx)
#define nethttp_call_conn__bias 0UL
#define nethttp_call_conn__pc ((u64)ctx->ax)
#define nethttp_call_conn__req ((u64)ctx->bx)
#define nethttp_call_h2__bias 0UL
#define nethttp_call_h2__cc ((u64)ctx->ax)
#define nethttp_call_xnet__cc 0
#define nethttp_timeout__fn 0
#define nethttp_mux__bias 0UL
#define nethttp_mux__mux ((u64)ctx->ax)
#define nethttp_mux__r ((u64)ctx->bx)
#define nethttp_gin__p 0
#define nethttp_gin__x_type 0
#define nethttp_gin__x_data 0
#define nethttp_echo__p 0
#define nethttp_echo__x_type 0
#define nethttp_echo__x_data 0
#define nethttp_echo5__p 0
#define nethttp_echo5__x_type 0
#define nethttp_echo5__x_data 0
#define nethttp_chi__p 0
#define nethttp_chi__x_type 0
#define nethttp_chi__x_data 0
#define nethttp_gorilla__r 0
#define nethttp_gorilla__route 0
int goinst_0_0_nethttp_accept(struct pt_regs *ctx)
{
    struct goinst_hit here = {}, *hit = &here;
    if (!goinst_this_way(ctx))
        return 0;
    hit->tgid = bpf_get_current_pid_tgid() >> 32;
    if (!goinst_traced(hit->tgid))
        return 0;
    goinst_count(NUMBER);
    hit->g = ctx->r14;
    hit->sp = GOINST_SP(ctx) + 0;
    nethttp_accept(ctx, hit);
    return 0;
}
int goinst_1_0_nethttp_serve(struct pt_regs *ctx)
{
    struct goinst_hit here = {}, *hit = &here;
    if (!goinst_this_way(ctx))
        return 0;
    hit->tgid = bpf_get_current_pid_tgid() >> 32;
    if (!goinst_traced(hit->tgid))
        return 0;
    goinst_count(NUMBER);
    hit->g = ctx->r14;
    hit->sp = GOINST_SP(ctx) + 0;
    hit->tails[0] = 1;
    hit->tails[1] = 2;
    nethttp_serve(ctx, hit);
    goinst_tails.call(ctx, 0);
    return 0;
}
int goinst_1_0_tail_nethttp_serve_stream(struct pt_regs *ctx)
{
    struct goinst_hit here = {}, *hit = &here;
    hit->tgid = bpf_get_current_pid_tgid() >> 32;
    hit->g = ctx->r14;
    hit->sp = GOINST_SP(ctx) + 0;
    hit->tails[0] = 1;
    hit->tails[1] = 2;
    nethttp_serve_stream(ctx, hit);
    goinst_tails.call(ctx, 0);
    return 0;
}
int goinst_1_0_tail_nethttp_read_line(struct pt_regs *ctx)
{
    struct goinst_hit here = {}, *hit = &here;
    hit->tgid = bpf_get_current_pid_tgid() >> 32;
    hit->g = ctx->r14;
    hit->sp = GOINST_SP(ctx) + 0;
    hit->tails[0] = 1;
    hit->tails[1] = 2;
    nethttp_read_line(ctx, hit);
    goinst_tails.call(ctx, 0);
    return 0;
}
int goinst_1_1_jsonrpc_serve(struct pt_regs *ctx)
{
    struct goinst_hit here = {}, *hit = &here;
    hit->tgid = bpf_get_current_pid_tgid() >> 32;
    hit->g = ctx->r14;
    hit->sp = GOINST_SP(ctx) + 0;
    hit->tails[0] = 3;
    jsonrpc_serve(ctx, hit);
    return 0;
}
int goinst_1_1_tail_jsonrpc_body(struct pt_regs *ctx)
{
    struct goinst_hit here = {}, *hit = &here;
    hit->tgid = bpf_get_current_pid_tgid() >> 32;
    hit->g = ctx->r14;
    hit->sp = GOINST_SP(ctx) + 0;
    hit->tails[0] = 3;
    jsonrpc_body(ctx, hit);
    return 0;
}
int goinst_2_0_jsonrpc_finish(struct pt_regs *ctx)
{
    struct goinst_hit here = {}, *hit = &here;
    if (!goinst_this_way(ctx))
        return 0;
    hit->tgid = bpf_get_current_pid_tgid() >> 32;
    if (!goinst_traced(hit->tgid))
        return 0;
    goinst_count(NUMBER);
    hit->g = ctx->r14;
    hit->sp = GOINST_SP(ctx) + -8;
    hit->tails[2] = 5;
    hit->tails[3] = 7;
    hit->tails[4] = 6;
    jsonrpc_finish(ctx, hit);
    goinst_tails.call(ctx, 4);
    return 0;
}
int goinst_2_0_tail_jsonrpc_late_body(struct pt_regs *ctx)
{
    struct goinst_hit here = {}, *hit = &here;
    hit->tgid = bpf_get_current_pid_tgid() >> 32;
    hit->g = ctx->r14;
    hit->sp = GOINST_SP(ctx) + -8;
    hit->tails[2] = 5;
    hit->tails[3] = 7;
    hit->tails[4] = 6;
    jsonrpc_late_body(ctx, hit);
    goinst_tails.call(ctx, 4);
    return 0;
}
int goinst_2_0_tail_jsonrpc_accepted(struct pt_regs *ctx)
{
    struct goinst_hit here = {}, *hit = &here;
    hit->tgid = bpf_get_current_pid_tgid() >> 32;
    hit->g = ctx->r14;
    hit->sp = GOINST_SP(ctx) + -8;
    hit->tails[2] = 5;
    hit->tails[3] = 7;
    hit->tails[4] = 6;
    jsonrpc_accepted(ctx, hit);
    goinst_tails.call(ctx, 4);
    return 0;
}
int goinst_2_0_tail_jsonrpc_reply(struct pt_regs *ctx)
{
    struct goinst_hit here = {}, *hit = &here;
    hit->tgid = bpf_get_current_pid_tgid() >> 32;
    hit->g = ctx->r14;
    hit->sp = GOINST_SP(ctx) + -8;
    hit->tails[2] = 5;
    hit->tails[3] = 7;
    hit->tails[4] = 6;
    jsonrpc_reply(ctx, hit);
    goinst_tails.call(ctx, 4);
    return 0;
}
int goinst_2_1_nethttp_finish(struct pt_regs *ctx)
{
    struct goinst_hit here = {}, *hit = &here;
    hit->tgid = bpf_get_current_pid_tgid() >> 32;
    hit->g = ctx->r14;
    hit->sp = GOINST_SP(ctx) + -8;
    nethttp_finish(ctx, hit);
    return 0;
}
int goinst_3_0_nethttp_leave(struct pt_regs *ctx)
{
    struct goinst_hit here = {}, *hit = &here;
    if (!goinst_this_way(ctx))
        return 0;
    hit->tgid = bpf_get_current_pid_tgid() >> 32;
    if (!goinst_traced(hit->tgid))
        return 0;
    goinst_count(NUMBER);
    hit->g = ctx->r14;
    hit->sp = GOINST_SP(ctx) + 0;
    nethttp_leave(ctx, hit);
    return 0;
}
int goinst_4_0_jsonrpc_stream_done(struct pt_regs *ctx)
{
    struct goinst_hit here = {}, *hit = &here;
    if (!goinst_this_way(ctx))
        return 0;
    hit->tgid = bpf_get_current_pid_tgid() >> 32;
    if (!goinst_traced(hit->tgid))
        return 0;
    goinst_count(NUMBER);
    hit->g = ctx->r14;
    hit->sp = GOINST_SP(ctx) + 0;
    jsonrpc_stream_done(ctx, hit);
    goinst_tails.call(ctx, 8);
    return 0;
}
int goinst_4_1_nethttp_stream_done(struct pt_regs *ctx)
{
    struct goinst_hit here = {}, *hit = &here;
    hit->tgid = bpf_get_current_pid_tgid() >> 32;
    hit->g = ctx->r14;
    hit->sp = GOINST_SP(ctx) + 0;
    nethttp_stream_done(ctx, hit);
    return 0;
}
int goinst_5_0_nethttp_call(struct pt_regs *ctx)
{
    struct goinst_hit here = {}, *hit = &here;
    if (!goinst_this_way(ctx))
        return 0;
    hit->tgid = bpf_get_current_pid_tgid() >> 32;
    if (!goinst_traced(hit->tgid))
        return 0;
    goinst_count(NUMBER);
    hit->g = ctx->r14;
    hit->sp = GOINST_SP(ctx) + 0;
    nethttp_call(ctx, hit);
    goinst_tails.call(ctx, 9);
    return 0;
}
int goinst_5_1_jsonrpc_call(struct pt_regs *ctx)
{
    struct goinst_hit here = {}, *hit = &here;
    hit->tgid = bpf_get_current_pid_tgid() >> 32;
    hit->g = ctx->r14;
    hit->sp = GOINST_SP(ctx) + 0;
    jsonrpc_call(ctx, hit);
    return 0;
}
int goinst_6_0_jsonrpc_call_done(struct pt_regs *ctx)
{
    struct goinst_hit here = {}, *hit = &here;
    if (!goinst_this_way(ctx))
        return 0;
    hit->tgid = bpf_get_current_pid_tgid() >> 32;
    if (!goinst_traced(hit->tgid))
        return 0;
    goinst_count(NUMBER);
    hit->g = ctx->r14;
    hit->sp = GOINST_SP(ctx) + 0;
    jsonrpc_call_done(ctx, hit);
    goinst_tails.call(ctx, 10);
    return 0;
}
int goinst_6_1_nethttp_call_done(struct pt_regs *ctx)
{
    struct goinst_hit here = {}, *hit = &here;
    hit->tgid = bpf_get_current_pid_tgid() >> 32;
    hit->g = ctx->r14;
    hit->sp = GOINST_SP(ctx) + 0;
    nethttp_call_done(ctx, hit);
    return 0;
}
int goinst_7_0_nethttp_call_conn(struct pt_regs *ctx)
{
    struct goinst_hit here = {}, *hit = &here;
    if (!goinst_this_way(ctx))
        return 0;
    hit->tgid = bpf_get_current_pid_tgid() >> 32;
    if (!goinst_traced(hit->tgid))
        return 0;
    goinst_count(NUMBER);
    hit->g = ctx->r14;
    hit->sp = GOINST_SP(ctx) + 0;
    nethttp_call_conn(ctx, hit);
    return 0;
}
int goinst_8_0_nethttp_call_h2(struct pt_regs *ctx)
{
    struct goinst_hit here = {}, *hit = &here;
    if (!goinst_this_way(ctx))
        return 0;
    hit->tgid = bpf_get_current_pid_tgid() >> 32;
    if (!goinst_traced(hit->tgid))
        return 0;
    goinst_count(NUMBER);
    hit->g = ctx->r14;
    hit->sp = GOINST_SP(ctx) + 0;
    nethttp_call_h2(ctx, hit);
    return 0;
}
int goinst_9_0_nethttp_mux(struct pt_regs *ctx)
{
    struct goinst_hit here = {}, *hit = &here;
    if (!goinst_this_way(ctx))
        return 0;
    hit->tgid = bpf_get_current_pid_tgid() >> 32;
    if (!goinst_traced(hit->tgid))
        return 0;
    goinst_count(NUMBER);
    hit->g = ctx->r14;
    hit->sp = GOINST_SP(ctx) + -8;
    nethttp_mux(ctx, hit);
    return 0;
}
int goinst_10_0_http2_in_server(struct pt_regs *ctx)
{
    struct goinst_hit here = {}, *hit = &here;
    if (!goinst_this_way(ctx))
        return 0;
    hit->tgid = bpf_get_current_pid_tgid() >> 32;
    if (!goinst_traced(hit->tgid))
        return 0;
    goinst_count(NUMBER);
    hit->g = ctx->r14;
    hit->sp = GOINST_SP(ctx) + 0;
    http2_in_server(ctx, hit);
    return 0;
}
int goinst_11_0_http2_in_client(struct pt_regs *ctx)
{
    struct goinst_hit here = {}, *hit = &here;
    if (!goinst_this_way(ctx))
        return 0;
    hit->tgid = bpf_get_current_pid_tgid() >> 32;
    if (!goinst_traced(hit->tgid))
        return 0;
    goinst_count(NUMBER);
    hit->g = ctx->r14;
    hit->sp = GOINST_SP(ctx) + 0;
    http2_in_client(ctx, hit);
    return 0;
}
int goinst_12_0_http2_in_grpc_server(struct pt_regs *ctx)
{
    struct goinst_hit here = {}, *hit = &here;
    if (!goinst_this_way(ctx))
        return 0;
    hit->tgid = bpf_get_current_pid_tgid() >> 32;
    if (!goinst_traced(hit->tgid))
        return 0;
    goinst_count(NUMBER);
    hit->g = ctx->r14;
    hit->sp = GOINST_SP(ctx) + 0;
    http2_in_grpc_server(ctx, hit);
    return 0;
}
int goinst_13_0_http2_in_grpc_client(struct pt_regs *ctx)
{
    struct goinst_hit here = {}, *hit = &here;
    if (!goinst_this_way(ctx))
        return 0;
    hit->tgid = bpf_get_current_pid_tgid() >> 32;
    if (!goinst_traced(hit->tgid))
        return 0;
    goinst_count(NUMBER);
    hit->g = ctx->r14;
    hit->sp = GOINST_SP(ctx) + 0;
    http2_in_grpc_client(ctx, hit);
    return 0;
}
int goinst_14_0_http2_out_grpc(struct pt_regs *ctx)
{
    struct goinst_hit here = {}, *hit = &here;
    if (!goinst_this_way(ctx))
        return 0;
    hit->tgid = bpf_get_current_pid_tgid() >> 32;
    if (!goinst_traced(hit->tgid))
        return 0;
    goinst_count(NUMBER);
    hit->g = ctx->r14;
    hit->sp = GOINST_SP(ctx) + 0;
    http2_out_grpc(ctx, hit);
    return 0;
}
int goinst_15_0_http2_out_client(struct pt_regs *ctx)
{
    struct goinst_hit here = {}, *hit = &here;
    if (!goinst_this_way(ctx))
        return 0;
    hit->tgid = bpf_get_current_pid_tgid() >> 32;
    if (!goinst_traced(hit->tgid))
        return 0;
    goinst_count(NUMBER);
    hit->g = ctx->r14;
    hit->sp = GOINST_SP(ctx) + 0;
    http2_out_client(ctx, hit);
    return 0;
}
int goinst_16_0_http2_out_server(struct pt_regs *ctx)
{
    struct goinst_hit here = {}, *hit = &here;
    if (!goinst_this_way(ctx))
        return 0;
    hit->tgid = bpf_get_current_pid_tgid() >> 32;
    if (!goinst_traced(hit->tgid))
        return 0;
    goinst_count(NUMBER);
    hit->g = ctx->r14;
    hit->sp = GOINST_SP(ctx) + 0;
    http2_out_server(ctx, hit);
    return 0;
}
int goinst_17_0_jsonrpc_read(struct pt_regs *ctx)
{
    struct goinst_hit here = {}, *hit = &here;
    if (!goinst_this_way(ctx))
        return 0;
    hit->tgid = bpf_get_current_pid_tgid() >> 32;
    if (!goinst_traced(hit->tgid))
        return 0;
    goinst_count(NUMBER);
    hit->g = ctx->r14;
    hit->sp = GOINST_SP(ctx) + 0;
    jsonrpc_read(ctx, hit);
    return 0;
}
int goinst_18_0_jsonrpc_read_done(struct pt_regs *ctx)
{
    struct goinst_hit here = {}, *hit = &here;
    if (!goinst_this_way(ctx))
        return 0;
    hit->tgid = bpf_get_current_pid_tgid() >> 32;
    if (!goinst_traced(hit->tgid))
        return 0;
    goinst_count(NUMBER);
    hit->g = ctx->r14;
    hit->sp = GOINST_SP(ctx) + 0;
    hit->tails[5] = 11;
    jsonrpc_read_done(ctx, hit);
    return 0;
}
int goinst_18_0_tail_jsonrpc_first_read(struct pt_regs *ctx)
{
    struct goinst_hit here = {}, *hit = &here;
    hit->tgid = bpf_get_current_pid_tgid() >> 32;
    hit->g = ctx->r14;
    hit->sp = GOINST_SP(ctx) + 0;
    hit->tails[5] = 11;
    jsonrpc_first_read(ctx, hit);
    return 0;
}
int goinst_19_0_jsonrpc_write(struct pt_regs *ctx)
{
    struct goinst_hit here = {}, *hit = &here;
    if (!goinst_this_way(ctx))
        return 0;
    hit->tgid = bpf_get_current_pid_tgid() >> 32;
    if (!goinst_traced(hit->tgid))
        return 0;
    goinst_count(NUMBER);
    hit->g = ctx->r14;
    hit->sp = GOINST_SP(ctx) + 0;
    hit->tails[6] = 12;
    jsonrpc_write(ctx, hit);
    return 0;
}
int goinst_19_0_tail_jsonrpc_write_event(struct pt_regs *ctx)
{
    struct goinst_hit here = {}, *hit = &here;
    hit->tgid = bpf_get_current_pid_tgid() >> 32;
    hit->g = ctx->r14;
    hit->sp = GOINST_SP(ctx) + 0;
    hit->tails[6] = 12;
    jsonrpc_write_event(ctx, hit);
    return 0;
}
int goinst_20_0_jsonrpc_stream_write(struct pt_regs *ctx)
{
    struct goinst_hit here = {}, *hit = &here;
    if (!goinst_this_way(ctx))
        return 0;
    hit->tgid = bpf_get_current_pid_tgid() >> 32;
    if (!goinst_traced(hit->tgid))
        return 0;
    goinst_count(NUMBER);
    hit->g = ctx->r14;
    hit->sp = GOINST_SP(ctx) + 0;
    hit->tails[6] = 13;
    jsonrpc_stream_write(ctx, hit);
    return 0;
}
int goinst_20_0_tail_jsonrpc_write_event(struct pt_regs *ctx)
{
    struct goinst_hit here = {}, *hit = &here;
    hit->tgid = bpf_get_current_pid_tgid() >> 32;
    hit->g = ctx->r14;
    hit->sp = GOINST_SP(ctx) + 0;
    hit->tails[6] = 13;
    jsonrpc_write_event(ctx, hit);
    return 0;
}
int goinst_21_0_jsonstream_file_read(struct pt_regs *ctx)
{
    struct goinst_hit here = {}, *hit = &here;
    if (!goinst_this_way(ctx))
        return 0;
    hit->tgid = bpf_get_current_pid_tgid() >> 32;
    if (!goinst_traced(hit->tgid))
        return 0;
    goinst_count(NUMBER);
    hit->g = ctx->r14;
    hit->sp = GOINST_SP(ctx) + 0;
    jsonstream_file_read(ctx, hit);
    return 0;
}
int goinst_22_0_jsonstream_file_read_done(struct pt_regs *ctx)
{
    struct goinst_hit here = {}, *hit = &here;
    if (!goinst_this_way(ctx))
        return 0;
    hit->tgid = bpf_get_current_pid_tgid() >> 32;
    if (!goinst_traced(hit->tgid))
        return 0;
    goinst_count(NUMBER);
    hit->g = ctx->r14;
    hit->sp = GOINST_SP(ctx) + 0;
    hit->tails[0] = 14;
    hit->tails[1] = 15;
    jsonstream_file_read_done(ctx, hit);
    return 0;
}
int goinst_22_0_tail_jsonstream_look(struct pt_regs *ctx)
{
    struct goinst_hit here = {}, *hit = &here;
    hit->tgid = bpf_get_current_pid_tgid() >> 32;
    hit->g = ctx->r14;
    hit->sp = GOINST_SP(ctx) + 0;
    hit->tails[0] = 14;
    hit->tails[1] = 15;
    jsonstream_look(ctx, hit);
    return 0;
}
int goinst_22_0_tail_jsonstream_send(struct pt_regs *ctx)
{
    struct goinst_hit here = {}, *hit = &here;
    hit->tgid = bpf_get_current_pid_tgid() >> 32;
    hit->g = ctx->r14;
    hit->sp = GOINST_SP(ctx) + 0;
    hit->tails[0] = 14;
    hit->tails[1] = 15;
    jsonstream_send(ctx, hit);
    return 0;
}
int goinst_23_0_jsonstream_file_write(struct pt_regs *ctx)
{
    struct goinst_hit here = {}, *hit = &here;
    if (!goinst_this_way(ctx))
        return 0;
    hit->tgid = bpf_get_current_pid_tgid() >> 32;
    if (!goinst_traced(hit->tgid))
        return 0;
    goinst_count(NUMBER);
    hit->g = ctx->r14;
    hit->sp = GOINST_SP(ctx) + 0;
    hit->tails[0] = 16;
    hit->tails[1] = 17;
    jsonstream_file_write(ctx, hit);
    return 0;
}
int goinst_23_0_tail_jsonstream_look(struct pt_regs *ctx)
{
    struct goinst_hit here = {}, *hit = &here;
    hit->tgid = bpf_get_current_pid_tgid() >> 32;
    hit->g = ctx->r14;
    hit->sp = GOINST_SP(ctx) + 0;
    hit->tails[0] = 16;
    hit->tails[1] = 17;
    jsonstream_look(ctx, hit);
    return 0;
}
int goinst_23_0_tail_jsonstream_send(struct pt_regs *ctx)
{
    struct goinst_hit here = {}, *hit = &here;
    hit->tgid = bpf_get_current_pid_tgid() >> 32;
    hit->g = ctx->r14;
    hit->sp = GOINST_SP(ctx) + 0;
    hit->tails[0] = 16;
    hit->tails[1] = 17;
    jsonstream_send(ctx, hit);
    return 0;
}
int goinst_24_0_jsonstream_pipe_read(struct pt_regs *ctx)
{
    struct goinst_hit here = {}, *hit = &here;
    if (!goinst_this_way(ctx))
        return 0;
    hit->tgid = bpf_get_current_pid_tgid() >> 32;
    if (!goinst_traced(hit->tgid))
        return 0;
    goinst_count(NUMBER);
    hit->g = ctx->r14;
    hit->sp = GOINST_SP(ctx) + 0;
    jsonstream_pipe_read(ctx, hit);
    return 0;
}
int goinst_25_0_jsonstream_pipe_read_done(struct pt_regs *ctx)
{
    struct goinst_hit here = {}, *hit = &here;
    if (!goinst_this_way(ctx))
        return 0;
    hit->tgid = bpf_get_current_pid_tgid() >> 32;
    if (!goinst_traced(hit->tgid))
        return 0;
    goinst_count(NUMBER);
    hit->g = ctx->r14;
    hit->sp = GOINST_SP(ctx) + 0;
    hit->tails[0] = 18;
    hit->tails[1] = 19;
    jsonstream_pipe_read_done(ctx, hit);
    return 0;
}
int goinst_25_0_tail_jsonstream_look(struct pt_regs *ctx)
{
    struct goinst_hit here = {}, *hit = &here;
    hit->tgid = bpf_get_current_pid_tgid() >> 32;
    hit->g = ctx->r14;
    hit->sp = GOINST_SP(ctx) + 0;
    hit->tails[0] = 18;
    hit->tails[1] = 19;
    jsonstream_look(ctx, hit);
    return 0;
}
int goinst_25_0_tail_jsonstream_send(struct pt_regs *ctx)
{
    struct goinst_hit here = {}, *hit = &here;
    hit->tgid = bpf_get_current_pid_tgid() >> 32;
    hit->g = ctx->r14;
    hit->sp = GOINST_SP(ctx) + 0;
    hit->tails[0] = 18;
    hit->tails[1] = 19;
    jsonstream_send(ctx, hit);
    return 0;
}
int goinst_26_0_jsonstream_pipe_write(struct pt_regs *ctx)
{
    struct goinst_hit here = {}, *hit = &here;
    if (!goinst_this_way(ctx))
        return 0;
    hit->tgid = bpf_get_current_pid_tgid() >> 32;
    if (!goinst_traced(hit->tgid))
        return 0;
    goinst_count(NUMBER);
    hit->g = ctx->r14;
    hit->sp = GOINST_SP(ctx) + 0;
    hit->tails[0] = 20;
    hit->tails[1] = 21;
    jsonstream_pipe_write(ctx, hit);
    return 0;
}
int goinst_26_0_tail_jsonstream_look(struct pt_regs *ctx)
{
    struct goinst_hit here = {}, *hit = &here;
    hit->tgid = bpf_get_current_pid_tgid() >> 32;
    hit->g = ctx->r14;
    hit->sp = GOINST_SP(ctx) + 0;
    hit->tails[0] = 20;
    hit->tails[1] = 21;
    jsonstream_look(ctx, hit);
    return 0;
}
int goinst_26_0_tail_jsonstream_send(struct pt_regs *ctx)
{
    struct goinst_hit here = {}, *hit = &here;
    hit->tgid = bpf_get_current_pid_tgid() >> 32;
    hit->g = ctx->r14;
    hit->sp = GOINST_SP(ctx) + 0;
    hit->tails[0] = 20;
    hit->tails[1] = 21;
    jsonstream_send(ctx, hit);
    return 0;
}
int goinst_27_0_grpc_serve(struct pt_regs *ctx)
{
    struct goinst_hit here = {}, *hit = &here;
    if (!goinst_this_way(ctx))
        return 0;
    hit->tgid = bpf_get_current_pid_tgid() >> 32;
    if (!goinst_traced(hit->tgid))
        return 0;
    goinst_count(NUMBER);
    hit->g = ctx->r14;
    hit->sp = GOINST_SP(ctx) + 0;
    hit->tails[0] = 22;
    grpc_serve(ctx, hit);
    return 0;
}
int goinst_27_0_tail_grpc_seek(struct pt_regs *ctx)
{
    struct goinst_hit here = {}, *hit = &here;
    hit->tgid = bpf_get_current_pid_tgid() >> 32;
    hit->g = ctx->r14;
    hit->sp = GOINST_SP(ctx) + 0;
    hit->tails[0] = 22;
    grpc_seek(ctx, hit);
    return 0;
}
int goinst_28_0_grpc_status(struct pt_regs *ctx)
{
    struct goinst_hit here = {}, *hit = &here;
    if (!goinst_this_way(ctx))
        return 0;
    hit->tgid = bpf_get_current_pid_tgid() >> 32;
    if (!goinst_traced(hit->tgid))
        return 0;
    goinst_count(NUMBER);
    hit->g = ctx->r14;
    hit->sp = GOINST_SP(ctx) + 0;
    grpc_status(ctx, hit);
    return 0;
}
int goinst_29_0_grpc_handler_status(struct pt_regs *ctx)
{
    struct goinst_hit here = {}, *hit = &here;
    if (!goinst_this_way(ctx))
        return 0;
    hit->tgid = bpf_get_current_pid_tgid() >> 32;
    if (!goinst_traced(hit->tgid))
        return 0;
    goinst_count(NUMBER);
    hit->g = ctx->r14;
    hit->sp = GOINST_SP(ctx) + 0;
    grpc_handler_status(ctx, hit);
    return 0;
}
int goinst_30_0_grpc_crash(struct pt_regs *ctx)
{
    struct goinst_hit here = {}, *hit = &here;
    if (!goinst_this_way(ctx))
        return 0;
    hit->tgid = bpf_get_current_pid_tgid() >> 32;
    if (!goinst_traced(hit->tgid))
        return 0;
    goinst_count(NUMBER);
    hit->g = ctx->r14;
    hit->sp = GOINST_SP(ctx) + 0;
    grpc_crash(ctx, hit);
    return 0;
}
int goinst_31_0_grpc_attempt(struct pt_regs *ctx)
{
    struct goinst_hit here = {}, *hit = &here;
    if (!goinst_this_way(ctx))
        return 0;
    hit->tgid = bpf_get_current_pid_tgid() >> 32;
    if (!goinst_traced(hit->tgid))
        return 0;
    goinst_count(NUMBER);
    hit->g = ctx->r14;
    hit->sp = GOINST_SP(ctx) + 0;
    grpc_attempt(ctx, hit);
    return 0;
}
int goinst_32_0_grpc_finish(struct pt_regs *ctx)
{
    struct goinst_hit here = {}, *hit = &here;
    if (!goinst_this_way(ctx))
        return 0;
    hit->tgid = bpf_get_current_pid_tgid() >> 32;
    if (!goinst_traced(hit->tgid))
        return 0;
    goinst_count(NUMBER);
    hit->g = ctx->r14;
    hit->sp = GOINST_SP(ctx) + 0;
    grpc_finish(ctx, hit);
    return 0;
}
int goinst_33_0_grpc_unresolved(struct pt_regs *ctx)
{
    struct goinst_hit here = {}, *hit = &here;
    if (!goinst_this_way(ctx))
        return 0;
    hit->tgid = bpf_get_current_pid_tgid() >> 32;
    if (!goinst_traced(hit->tgid))
        return 0;
    goinst_count(NUMBER);
    hit->g = ctx->r14;
    hit->sp = GOINST_SP(ctx) + -8;
    grpc_unresolved(ctx, hit);
    return 0;
}
int goinst_34_0_grpc_call(struct pt_regs *ctx)
{
    struct goinst_hit here = {}, *hit = &here;
    if (!goinst_this_way(ctx))
        return 0;
    hit->tgid = bpf_get_current_pid_tgid() >> 32;
    if (!goinst_traced(hit->tgid))
        return 0;
    goinst_count(NUMBER);
    hit->g = ctx->r14;
    hit->sp = GOINST_SP(ctx) + 0;
    grpc_call(ctx, hit);
    return 0;
}
int goinst_35_0_grpc_retry(struct pt_regs *ctx)
{
    struct goinst_hit here = {}, *hit = &here;
    if (!goinst_this_way(ctx))
        return 0;
    hit->tgid = bpf_get_current_pid_tgid() >> 32;
    if (!goinst_traced(hit->tgid))
        return 0;
    goinst_count(NUMBER);
    hit->g = ctx->r14;
    hit->sp = GOINST_SP(ctx) + 0;
    grpc_retry(ctx, hit);
    return 0;
}
int goinst_36_0_grpc_give_up(struct pt_regs *ctx)
{
    struct goinst_hit here = {}, *hit = &here;
    if (!goinst_this_way(ctx))
        return 0;
    hit->tgid = bpf_get_current_pid_tgid() >> 32;
    if (!goinst_traced(hit->tgid))
        return 0;
    goinst_count(NUMBER);
    hit->g = ctx->r14;
    hit->sp = GOINST_SP(ctx) + 0;
    grpc_give_up(ctx, hit);
    return 0;
}
int goinst_37_0_goinst_new_goroutine(struct pt_regs *ctx)
{
    struct goinst_hit here = {}, *hit = &here;
    if (!goinst_this_way(ctx))
        return 0;
    hit->tgid = bpf_get_current_pid_tgid() >> 32;
    if (!goinst_traced(hit->tgid))
        return 0;
    goinst_count(NUMBER);
    hit->g = ctx->r14;
    hit->sp = GOINST_SP(ctx) + -8;
    goinst_new_goroutine(ctx, hit);
    return 0;
}
