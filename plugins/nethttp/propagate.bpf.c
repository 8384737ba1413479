/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* A traceparent for each request that a client sends (--propagate).
 *
 * HTTP/1: the connection's writeLoop puts the request together in persistConn.bw, whose address says which request it
 * is: a connection has one at a time. The line goes where net/http begins to write the request's own header fields.
 * HTTP/2: the header block has just become a frame in the connection's buffer when that is flushed; the frame is made
 * longer by a field. Both before anything of it is sent.
 */

#if defined(GOINST_PROPAGATE) && defined(GO_MAP) && defined(WRITER_BUF) && defined(WRITER_N) && defined(PCONN_WRITER)
#define NETHTTP_PROPAGATE 1

struct nethttp_writer {
    u64 address;
    u64 tgid;
};
struct nethttp_awaited {
    struct goinst_operation_key operation;
    u64 span_id;
    u64 header; /* the map that is written: trailers are written in the same way */
};
BPF_TABLE("lru_hash", struct nethttp_writer, struct nethttp_awaited, nethttp_writers, 8192);

/* Whether a header map has a traceparent, in whatever case: 1 or 0, 2 when not all of it could be looked through. */
static __always_inline u32 nethttp_has_context(struct nethttp_client *r, u64 map)
{
    struct go_map walk = {};
    u64 key, name, length = map ? go_word(map) : 0; /* both kinds of map begin with it */

    if (!length)
        return 0;
    /* counted in the record, not in a register: the verifier would follow the loop for each value of it */
    *(volatile u32 *)&r->frame = length;
    go_map_begin(&walk, map);
    for (u32 i = 0; i < GO_MAP_SLOTS; i++) {
        if ((i & 7) == 0 && !go_map_enter(&walk, i >> 3))
            break;
        key = go_map_key(&walk, i & 7);
        if (!key)
            continue;
        *(volatile u32 *)&r->frame -= 1;
        if (go_word(key + 8) != 11)
            continue;
        name = go_word(key);
        if ((go_word(name) | 0x2020202020202020ULL) == 0x7261706563617274ULL &&
            (go_u32(name + 7) | 0x20202020) == 0x746e6572)
            return 1;
    }
    return *(volatile u32 *)&r->frame ? 2 : 0;
}

/* A reason not to write a context beside what a header has, or 0. */
static __always_inline u8 nethttp_present(struct nethttp_client *r, u64 map)
{
    u32 present = nethttp_has_context(r, map);

    if (present == 1) {
        NOTE(context_present);
        return GOINST_CONTEXT_PRESENT;
    }
    if (present) {
        LOSS(context_unsure);
        return GOINST_CONTEXT_UNSURE;
    }
    return 0;
}

static __always_inline void nethttp_await_header(struct goinst_hit *hit, u64 writer, u64 header)
{
    struct nethttp_client *r = nethttp_client_current(hit);
    struct nethttp_writer key = {.address = writer, .tgid = hit->tgid};
    struct nethttp_awaited awaited = {.header = header};

    if (!r)
        return;
    awaited.operation.g = hit->g;
    awaited.operation.tgid = hit->tgid;
    awaited.operation.level = nethttp_client_operation(r)->level;
    awaited.span_id = nethttp_client_operation(r)->head.span_id;
    nethttp_writers.update(&key, &awaited);
}

static __always_inline void nethttp_buffer_of(struct goinst_buffer *buffer, u64 writer)
{
    buffer->data = go_word(writer + WRITER_BUF);
    buffer->size = go_word(writer + WRITER_BUF + 8);
    buffer->used = writer + WRITER_N;
}

/* The call that this goroutine writes the header of: its own, or that of the goroutine that started it (doRequest). */
static __always_inline struct nethttp_client *nethttp_writing(struct goinst_hit *hit)
{
    struct nethttp_client *r = nethttp_client_current(hit);

    if (r && nethttp_client_operation(r)->goid == goinst_goid(hit))
        return r;
    r = nethttp_client_origin(hit);
    return r && nethttp_client_operation(r)->state == GOINST_OPEN ? r : 0;
}

static __always_inline void nethttp_frame_begins(struct goinst_hit *hit, u64 writer)
{
    struct nethttp_client *r = nethttp_writing(hit);

    if (!r || r->context)
        return;
    r->context = nethttp_present(r, r->header);
    r->frame = go_word(writer + WRITER_N);
}

static __always_inline void nethttp_frame_written(struct goinst_hit *hit, u64 writer)
{
    struct nethttp_client *r = nethttp_writing(hit);
    struct goinst_buffer buffer = {};

    if (!r) {
        LOSS(context_unclaimed);
        return;
    }
    if (r->context)
        return; /* one is there; or these are its trailers */
    nethttp_buffer_of(&buffer, writer);
    r->context = goinst_context_field(nethttp_client_operation(r), &buffer, r->frame);
}
#endif

/* func (h Header) writeSubset(w io.Writer, exclude map[string]bool, trace *httptrace.ClientTrace) error */
PROBE(nethttp_write_header)
{
#if defined(NETHTTP_PROPAGATE) && defined(nethttp_write_header__h)
    struct nethttp_writer key = {.address = ARG(nethttp_write_header, w_data), .tgid = hit->tgid};
    struct nethttp_awaited *awaited = nethttp_writers.lookup(&key);
    u64 header = ARG(nethttp_write_header, h);
    struct goinst_buffer buffer = {};
    struct goinst_operation *op;
    struct nethttp_client *r;

    if (!awaited || awaited->header != header)
        return 0;
    op = goinst_operations.lookup(&awaited->operation);
    if (!op || op->head.span_id != awaited->span_id || op->state != GOINST_OPEN)
        return 0;
    r = (struct nethttp_client *)op->payload;
    if (r->context)
        return 0;
    r->context = nethttp_present(r, header);
    if (r->context)
        return 0;
    nethttp_buffer_of(&buffer, key.address);
    r->context = goinst_context_line(op, &buffer);
#endif
    return 0;
}

/* func (cc *http2ClientConn) writeHeaders(streamID uint32, endStream bool, maxFrameSize int, hdrs []byte) error */
PROBE(nethttp_frame_begin)
{
#if defined(NETHTTP_PROPAGATE) && defined(H2_CLIENT_WRITER) && defined(nethttp_frame_begin__cc)
    nethttp_frame_begins(hit, go_word(ARG(nethttp_frame_begin, cc) + H2_CLIENT_WRITER));
#endif
    return 0;
}

/* func (b *bufio.Writer) Flush() error, called by it */
PROBE(nethttp_frame_done)
{
#if defined(NETHTTP_PROPAGATE) && defined(nethttp_frame_done__b)
    nethttp_frame_written(hit, ARG(nethttp_frame_done, b));
#endif
    return 0;
}

/* the same of golang.org/x/net/http2 */
PROBE(nethttp_xnet_frame_begin)
{
#if defined(NETHTTP_PROPAGATE) && defined(XNET_CLIENT_WRITER) && defined(nethttp_xnet_frame_begin__cc)
    nethttp_frame_begins(hit, go_word(ARG(nethttp_xnet_frame_begin, cc) + XNET_CLIENT_WRITER));
#endif
    return 0;
}

PROBE(nethttp_xnet_frame_done)
{
#if defined(NETHTTP_PROPAGATE) && defined(nethttp_xnet_frame_done__b)
    nethttp_frame_written(hit, ARG(nethttp_xnet_frame_done, b));
#endif
    return 0;
}
