/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* JSON-RPC over HTTP: the head of the request's and of the response's body, as a fact of the HTTP operation.
 *
 * Whether a body is worth sending is decided here, by the request's method and the body's first bytes; JSON itself is
 * parsed in user space. In nearly all requests the head of the body is in the connection's bufio.Reader already when
 * the handler starts (buf[r:w], behind the header block), and a response of up to 2 KB is in the response's
 * bufio.Writer when it ends: no further hit. A body that comes later is caught where it is read: in programs that speak
 * of "jsonrpc" those probes are there from the start, until so many bodies were whole that none is expected to be late;
 * elsewhere they come with the first late one, which is looked for when the handler ends.
 */

#define JSONRPC_TOLD (T_SDK_REQUEST ? JSONRPC_BY_LIBRARY : 0) /* added to a response's source */
#define JSONRPC_ACCEPTED 202 /* HTTP's status */

struct jsonrpc_pending {
    u64 buffer; /* where (*body).Read puts what it reads; 0 outside of it */
    u64 begin;  /* where it did so last */
    u64 span_id;
    u64 declared; /* the body's length, when that is known before */
    u64 read; /* bytes of the body that Read has returned: JSONRPC_NOWHERE when that is not known */
    u64 sent; /* bytes of the body that were sent */
    u64 state; /* HTTP/2's responseWriterState */
};
#define JSONRPC_NOWHERE (~0ULL)
/* by goroutine: a request whose body had not come, or not whole, when its handler started */
struct jsonrpc_goroutine {
    u64 g;
    u64 tgid;
};
BPF_TABLE("lru_hash", struct jsonrpc_goroutine, struct jsonrpc_pending, jsonrpc_late, 8192);
/* how many POSTs had a body that was there when the handler started, and how many a late one */
BPF_ARRAY(jsonrpc_posts, u64, 2);
#define JSONRPC_WHOLE 0
#define JSONRPC_LATE 1

/* by goroutine: a response that is caught while it is written */
struct jsonrpc_writing {
    u64 span_id;
    u64 source;
};
BPF_TABLE("lru_hash", struct jsonrpc_goroutine, struct jsonrpc_writing, jsonrpc_writings, 4096);
/* event streams that carry JSON-RPC, by their net/http.response */
struct jsonrpc_stream {
    u64 response;
    u64 tgid;
};
BPF_TABLE("lru_hash", struct jsonrpc_stream, u8, jsonrpc_streams, 4096);
/* by goroutine: from a program that sees a write to the one that takes it for an event */
struct jsonrpc_written {
    u64 response; /* net/http.response, or HTTP/2's responseWriterState */
    u64 before;   /* bytes that were written before */
    u64 data;
    u64 length;
};
BPF_TABLE("lru_hash", struct jsonrpc_goroutine, struct jsonrpc_written, jsonrpc_writes, 4096);

#define JSONRPC_PERHAPS 2
/* Whether 16 bytes look like the start of a JSON object or array, perhaps behind a chunk size line; JSONRPC_PERHAPS when
 * they are too few to tell. */
static __always_inline int jsonrpc_looks_like_json(const u8 *head, u64 length, int chunked)
{
    u8 c;
#pragma unroll
    for (u32 i = 0; i < 16; i++) {
        if (i >= length)
            return JSONRPC_PERHAPS;
        c = head[i];
        if (c == '{' || c == '[')
            return 1;
        if (c == ' ' || c == '\n' || c == '\r' || c == '\t')
            continue;
        if (chunked && ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == ';'))
            continue;
        return 0;
    }
    return 0;
}

#define JSONRPC_PIECES ((BODY_LIMIT + 4095) / 4096) /* up to 16 */
/* Sends `length` bytes that stand at `offset` of a body, in pieces. Each is written in place in the ring: a per-CPU
 * scratch could be overwritten by a program that preempts this one. */
static __always_inline void jsonrpc_pieces(struct goinst_operation *op, struct goinst_hit *hit, u64 data, u64 length,
                                           u64 offset, u8 reply)
{
    struct jsonrpc_piece *piece;

    if (offset >= BODY_LIMIT)
        return;
    if (length > BODY_LIMIT - offset)
        length = BODY_LIMIT - offset;
    for (u32 i = 0; i < JSONRPC_PIECES; i++) {
        u64 at = i * sizeof(piece->data);

        if (at >= length)
            break;
        piece = jsonrpc_piece_reserve(op, hit);
        if (!piece)
            break;
        piece->offset = offset + at;
        piece->reply = reply;
        piece->length = go_copy(piece->data, sizeof(piece->data), data + at, length - at);
        jsonrpc_piece_submit(piece);
    }
}

/* The same for what does not fit into the record of the body itself. */
static __always_inline void jsonrpc_rest(struct goinst_operation *op, struct goinst_hit *hit, u64 body, u64 length,
                                         u8 reply)
{
    if (BODY_LIMIT > 1024 && length > 1024)
        jsonrpc_pieces(op, hit, body + 1024, length - 1024, 1024, reply);
}

static __always_inline void jsonrpc_count_post(u32 which)
{
    u64 *count = jsonrpc_posts.lookup(&which);

    if (count)
        __sync_fetch_and_add(count, 1);
}

/* One more body was there in time: when that was so often, and never was one late, none is waited for any longer. */
static __always_inline void jsonrpc_count_whole(void)
{
    u32 whole = JSONRPC_WHOLE, late = JSONRPC_LATE;
    u64 *count = jsonrpc_posts.lookup(&whole), *others = jsonrpc_posts.lookup(&late);

    if (!count || !others || *count > WATCHED_POSTS)
        return;
    __sync_fetch_and_add(count, 1);
    if (*count > WATCHED_POSTS && !*others)
        SIGNAL(bodies_whole);
}

/* How much of a body goes into the record itself. */
static __always_inline u64 jsonrpc_first(u64 length)
{
    return length > BODY_LIMIT ? BODY_LIMIT : length;
}

static __always_inline void jsonrpc_send(struct goinst_operation *op, struct goinst_hit *hit, u64 body, u64 length,
                                         u64 block, u64 used, u8 source, u8 chunked)
{
    struct jsonrpc_request *r;
    u64 head = used;

    if (source != JSONRPC_PART)
        jsonrpc_rest(op, hit, body, length, 0);
    r = jsonrpc_request_reserve(op, hit);
    if (!r)
        return;
    r->source = source;
    r->chunked = chunked;
    r->length = length;
    if (head > sizeof(r->head))
        head = sizeof(r->head);
    /* the end of the header block: the content type is in there */
    r->head_length = head ? go_copy(r->head, sizeof(r->head), block + used - head, head) : 0;
    r->body_length = go_copy(r->body, sizeof(r->body), body, jsonrpc_first(length));
    jsonrpc_request_submit(r);
}

/* JSON-RPC over HTTP is a POST: whether the string at an address is that. */
static __always_inline int jsonrpc_is_post(u64 method)
{
    return go_word(method + 8) == 4 && go_u32(go_word(method)) == 0x54534f50 /* "POST", little endian */;
}

/* A request of HTTP/2: its body comes later, and is caught where it is read. `state`: its responseWriterState. */
static __always_inline void jsonrpc_stream_begin(struct goinst_hit *hit, u64 state)
{
    struct jsonrpc_goroutine key = {.g = hit->g, .tgid = hit->tgid};
    struct goinst_operation *op = goinst_operation_find(hit, 0);
    struct jsonrpc_pending pending = {.state = state};

    if (!op) {
        LOSS(no_operation);
        return;
    }
    pending.span_id = op->head.span_id;
    jsonrpc_late.update(&key, &pending);
}

/* The response that a connection's handler is at (net/http.conn.curReq): an atomic.Pointer, or, until Go 1.18, an
 * atomic.Value, which has the type in front. A response begins with its connection. */
static __always_inline u64 jsonrpc_answered(u64 conn)
{
    u64 response = go_word(conn + CONN_CURRENT);

    if (go_word(response + RESPONSE_CONN) != conn)
        response = go_word(conn + CONN_CURRENT + 8);
    return go_word(response + RESPONSE_CONN) == conn ? response : 0;
}

static __always_inline int jsonrpc_may_have_body(u64 request)
{
    return jsonrpc_is_post(request + REQUEST_METHOD) && go_word(request + REQUEST_CONTENT_LENGTH) != 0;
}

/* func (sh serverHandler) ServeHTTP(rw ResponseWriter, req *Request) */
PROBE(jsonrpc_serve)
{
    u32 type = go_type_hash(ARG(jsonrpc_serve, rw_type));

    if (!jsonrpc_may_have_body(ARG(jsonrpc_serve, req)))
        return 0;
#ifdef H2_STATE
    if (T_H2_WRITER && type == T_H2_WRITER) {
        jsonrpc_stream_begin(hit, go_word(ARG(jsonrpc_serve, rw_data) + H2_STATE));
        return 0;
    }
#endif
#ifndef jsonrpc_bodied__fn
    if (type == T_RESPONSE)
        TAIL_CALL(jsonrpc_body);
#endif
    return 0;
}

/* The head of the body that is in the connection's buffer when the handler is about to be called. */
static __always_inline int jsonrpc_take_body(struct goinst_hit *hit, u64 response, u64 request)
{
    u64 reader = go_word(go_word(response + RESPONSE_CONN) + CONN_BUFR);
    u64 buffer = go_word(reader + READER_BUF), r = go_word(reader + READER_R), w = go_word(reader + READER_W);
    s64 declared = go_word(request + REQUEST_CONTENT_LENGTH);
    u64 length = w - r;
    u8 first[16] = {}, last[5] = {}, source = JSONRPC_AT_START;
    struct goinst_operation *op = goinst_operation_find(hit, 0);
    struct jsonrpc_goroutine key = {.g = hit->g, .tgid = hit->tgid};
    struct jsonrpc_pending pending = {.declared = declared > 0 ? declared : 0};
    int json = JSONRPC_PERHAPS, whole = 0;

    if (!op) {
        LOSS(no_operation);
        return 0;
    }
    pending.span_id = op->head.span_id;
    if (w > r && w <= 1 << 24) {
        /* behind the body the next pipelined request may start */
        if (declared > 0 && length > declared)
            length = declared;
        bpf_probe_read_user(first, sizeof(first), (void *)(buffer + r));
        json = jsonrpc_looks_like_json(first, length, declared < 0);
        if (declared < 0)
            bpf_probe_read_user(last, sizeof(last), (void *)(buffer + w - sizeof(last)));
        whole = declared > 0 ? length == declared
                             : last[0] == '0' && last[1] == '\r' && last[2] == '\n' && last[3] == '\r' && last[4] == '\n';
    }
    if (!json || whole)
        jsonrpc_count_whole();
    if (!json || (whole && json == JSONRPC_PERHAPS))
        return 0;
    if (!whole && (length < BODY_LIMIT || json == JSONRPC_PERHAPS)) {
        NOTE(body_late);
        SIGNAL(body_late);
        if (json == 1)
            jsonrpc_count_post(JSONRPC_LATE);
        if (json == 1 && declared > 0)
            pending.sent = length;
        jsonrpc_late.update(&key, &pending);
        if (json == JSONRPC_PERHAPS)
            return 0;
        if (declared < 0)
            source = JSONRPC_PART;
    }
    jsonrpc_send(op, hit, buffer + r, length, buffer, r, source, declared < 0);
    return 0;
}

PROBE(jsonrpc_body)
{
    return jsonrpc_take_body(hit, ARG(jsonrpc_serve, rw_data), ARG(jsonrpc_serve, req));
}

/* Where ServeHTTP is inlined: func registerOnHitEOF(rc io.ReadCloser, fn func()), or func (b *body) registerOnHitEOF(fn
 * func()), which (*conn).serve calls before, for a request with a body; fn is a method value of the connReader */
PROBE(jsonrpc_bodied)
{
#ifdef jsonrpc_bodied__fn
    u64 response = jsonrpc_answered(go_word(go_word(ARG(jsonrpc_bodied, fn) + 8) + READER_CONN));

    if (response && jsonrpc_may_have_body(go_word(response + RESPONSE_REQ)))
        TAIL_CALL(jsonrpc_bodied_take);
#endif
    return 0;
}

PROBE(jsonrpc_bodied_take)
{
#ifdef jsonrpc_bodied__fn
    u64 response = jsonrpc_answered(go_word(go_word(ARG(jsonrpc_bodied, fn) + 8) + READER_CONN));

    return jsonrpc_take_body(hit, response, go_word(response + RESPONSE_REQ));
#else
    return 0;
#endif
}

#ifdef jsonrpc_finish__c
#define JSONRPC_FINISHED jsonrpc_answered(ARG(jsonrpc_finish, c))
#else
#define JSONRPC_FINISHED ARG(jsonrpc_finish, w)
#endif

/* The handler has returned: (*conn).serve calls func (c *conn) hijacked() bool, or (*response).finishRequest */
PROBE(jsonrpc_finish)
{
    u64 response = JSONRPC_FINISHED;
    struct jsonrpc_goroutine key = {.g = hit->g, .tgid = hit->tgid};
    struct goinst_operation *op = goinst_operation_find(hit, 0);
    struct jsonrpc_pending *pending;

    if (!op)
        return 0;
    if (!jsonrpc_request_sent(op)) {
        pending = jsonrpc_late.lookup(&key);
        if (!pending || pending->span_id != op->head.span_id)
            return 0;
        TAIL_CALL(jsonrpc_late_body);
        return 0;
    }
    if ((u16)go_word(response + RESPONSE_STATUS) == JSONRPC_ACCEPTED) {
        TAIL_CALL(jsonrpc_accepted);
        return 0;
    }
    TAIL_CALL(jsonrpc_reply);
    return 0;
}

/* The request was acknowledged with 202; its answer comes on the stream of a GET that has the same query. */
PROBE(jsonrpc_accepted)
{
    u64 response = JSONRPC_FINISHED;
    u64 url = go_word(go_word(response + RESPONSE_REQ) + REQUEST_URL);
    struct goinst_operation *op = goinst_operation_find(hit, 0);
    struct jsonrpc_response *r;

    if (!op)
        return 0;
    r = jsonrpc_response_reserve(op, hit);
    if (!r)
        return 0;
    r->status = JSONRPC_ACCEPTED;
    r->length = 0;
    r->source = JSONRPC_WRITER | JSONRPC_TOLD;
    r->body_length = 0;
    r->query_length = go_word(url + URL_RAW_QUERY + 8);
    if (!go_string_at(r->query, sizeof(r->query), url + URL_RAW_QUERY))
        r->query_length = 0;
    jsonrpc_response_submit(r);
    return 0;
}

/* The body came after the handler had started, and (*body).Read is not probed yet: what it left in the buffer. */
PROBE(jsonrpc_late_body)
{
    u64 response = JSONRPC_FINISHED;
    u64 conn = go_word(response + RESPONSE_CONN), reader = go_word(conn + CONN_BUFR);
    u64 buffer = go_word(reader + READER_BUF), w = go_word(reader + READER_W);
    s64 declared = go_word(go_word(response + RESPONSE_REQ) + REQUEST_CONTENT_LENGTH);
    u8 first[16] = {};
    struct goinst_operation *op = goinst_operation_find(hit, 0);

    if (!op)
        return 0;
    bpf_probe_read_user(first, sizeof(first), (void *)buffer);
    /* what came in several parts is not there from its beginning */
    if ((declared > 0 && w < declared) || jsonrpc_looks_like_json(first, w, declared < 0) != 1) {
        LOSS(body_gone);
        return 0;
    }
    jsonrpc_send(op, hit, buffer, w, 0, 0, JSONRPC_AT_END, declared < 0);
    TAIL_CALL(jsonrpc_reply);
    return 0;
}

PROBE(jsonrpc_reply)
{
    u64 response = JSONRPC_FINISHED, writer, buffer, size, length;
    struct goinst_operation *op = goinst_operation_find(hit, 0);
    struct jsonrpc_response *r;
    struct jsonrpc_goroutine key = {.g = hit->g, .tgid = hit->tgid};
    struct jsonrpc_writing *writing;
    u8 source = JSONRPC_WRITER;

    if (!op)
        return 0;
    length = go_word(response + RESPONSE_WRITTEN);
    writing = jsonrpc_writings.lookup(&key);
    if (writing && writing->span_id == op->head.span_id) {
        r = jsonrpc_response_reserve(op, hit);
        if (!r)
            return 0;
        r->status = go_word(response + RESPONSE_STATUS);
        r->length = length;
        r->source = writing->source | JSONRPC_TOLD;
        r->query_length = 0;
        r->body_length = 0;
        jsonrpc_response_submit(r);
        return 0;
    }
    writer = go_word(response + RESPONSE_W);
    size = length;
    if (size > go_word(writer + WRITER_BUF + 8)) {
        /* more than the response's buffer holds: the head went on to the connection's, behind the header block */
        writer = go_word(go_word(response + RESPONSE_CONN) + CONN_BUFW);
        size = go_word(writer + WRITER_BUF + 8);
        source = JSONRPC_WIRE;
        LOSS(response_streamed);
        SIGNAL(writes_wanted);
    }
    /* also what was flushed already: the bytes stay in the buffer */
    buffer = go_word(writer + WRITER_BUF);
    jsonrpc_rest(op, hit, buffer, size, 1);
    r = jsonrpc_response_reserve(op, hit);
    if (!r)
        return 0;
    r->status = go_word(response + RESPONSE_STATUS);
    r->length = length;
    r->source = source | JSONRPC_TOLD;
    r->query_length = 0;
    r->body_length = go_copy(r->body, sizeof(r->body), buffer, jsonrpc_first(size));
    jsonrpc_response_submit(r);
    return 0;
}

/* Whether something begins like an event of an event stream: "event:", "data:" or "id:". */
static __always_inline int jsonrpc_is_event(const u8 *head)
{
    return (head[0] == 'e' && head[1] == 'v' && head[2] == 'e' && head[5] == ':') ||
           (head[0] == 'd' && head[1] == 'a' && head[2] == 't' && head[4] == ':') ||
           (head[0] == 'i' && head[1] == 'd' && head[2] == ':');
}

/* A write to a response, of `offset` bytes before it; `writer` is the bufio.Writer that it goes to. Whether it is taken
 * for an event, which jsonrpc_write_event sends then. */
static __always_inline int jsonrpc_write_begin(struct goinst_hit *hit, u64 response, u64 offset, u64 writer, u64 data,
                                               u64 length)
{
    struct jsonrpc_goroutine key = {.g = hit->g, .tgid = hit->tgid};
    struct jsonrpc_stream stream = {.response = response, .tgid = hit->tgid};
    struct goinst_operation *op = goinst_operation_find(hit, 0);
    struct jsonrpc_writing writing = {.source = JSONRPC_WRITTEN}, *before;
    u8 head[16] = {}, *known = jsonrpc_streams.lookup(&stream);
    u64 buffered;

    if (!go_copy(head, sizeof(head), data, length))
        return 0;
    if ((known && offset) || jsonrpc_is_event(head)) {
        struct jsonrpc_written written = {.response = response, .before = offset, .data = data, .length = length};

        jsonrpc_writes.update(&key, &written);
        return 1;
    }
    if (!op || !jsonrpc_request_sent(op) || offset >= BODY_LIMIT)
        return 0;
    before = jsonrpc_writings.lookup(&key);
    if (!before || before->span_id != op->head.span_id) {
        buffered = go_word(writer + WRITER_BUF + 8);
        /* what fits into the response's buffer is still there in the end */
        if (offset + length <= buffered || offset > buffered)
            return 0;
        writing.span_id = op->head.span_id;
        jsonrpc_writings.update(&key, &writing);
        if (offset)
            jsonrpc_pieces(op, hit, go_word(writer + WRITER_BUF), offset, 0, 1);
    }
    jsonrpc_pieces(op, hit, data, length, offset, 1);
    return 0;
}

/* func (w *response) write(lenData int, dataB []byte, dataS string): attached once a response was long, or is on
 * another request's stream */
PROBE(jsonrpc_write)
{
    u64 response = ARG(jsonrpc_write, w), data = ARG(jsonrpc_write, dataB_ptr);

    if (!data)
        data = ARG(jsonrpc_write, dataS_ptr);
    if (jsonrpc_write_begin(hit, response, go_word(response + RESPONSE_WRITTEN), go_word(response + RESPONSE_W), data,
                            ARG(jsonrpc_write, lenData)))
        TAIL_CALL(jsonrpc_write_event);
    return 0;
}

#define JSONRPC_EVENT_WINDOW 128
#define JSONRPC_EVENT_PIECES (JSONRPC_PIECES < 8 ? JSONRPC_PIECES : 8)
PROBE(jsonrpc_write_event)
{
    struct jsonrpc_goroutine key = {.g = hit->g, .tgid = hit->tgid};
    struct jsonrpc_written *what = jsonrpc_writes.lookup(&key);
    struct jsonrpc_stream stream = {.tgid = hit->tgid};
    struct goinst_operation *op = goinst_operation_find(hit, 0);
    struct jsonrpc_writing writing = {.source = JSONRPC_EVENTS};
    struct jsonrpc_event *r;
    u64 limit = BODY_LIMIT, now = bpf_ktime_get_ns(), response, length, data, written;
    u8 head[JSONRPC_EVENT_WINDOW] = {}, one = 1;
    u32 window = 0, found = 0;

    if (!what)
        return 0;
    stream.response = response = what->response;
    length = what->length;
    data = what->data;
    written = what->before;
    if (op && jsonrpc_request_sent(op))
        writing.span_id = op->head.span_id;
    if (!writing.span_id && !(jsonrpc_streams.lookup(&stream) && written)) {
        /* a stream of a GET, of which nothing is known: "json", "meth" or "endp" (endpoint) in an event's beginning */
        go_copy(head, sizeof(head), data, length);
        for (u32 i = 0; i < sizeof(head); i++) {
            window = window << 8 | head[i];
            if (window == 0x6a736f6e || window == 0x6d657468 || window == 0x656e6470) {
                found = 1;
                break;
            }
        }
        if (!found)
            return 0;
    }
    jsonrpc_streams.update(&stream, &one);
    if (writing.span_id)
        jsonrpc_writings.update(&key, &writing);
    if (limit > JSONRPC_EVENT_PIECES * sizeof(r->data))
        limit = JSONRPC_EVENT_PIECES * sizeof(r->data);
    if (limit > length)
        limit = length;
    for (u32 i = 0; i < JSONRPC_EVENT_PIECES; i++) {
        u64 at = i * sizeof(r->data);

        if (at >= limit)
            break;
        r = jsonrpc_event_reserve(0, hit);
        if (!r)
            break;
        r->time = now;
        r->stream = response;
        r->request = writing.span_id;
        r->length = length;
        r->offset = at;
        r->begins = written == 0;
        r->told = JSONRPC_TOLD != 0;
        r->last = at + sizeof(r->data) >= limit;
        r->copied = go_copy(r->data, sizeof(r->data), data + at, limit - at);
        jsonrpc_event_submit(r);
    }
    return 0;
}

static __always_inline void jsonrpc_read_begin(struct goinst_hit *hit, u64 buffer, u64 position)
{
    nethttp_stand_in(hit);

    struct jsonrpc_goroutine key = {.g = hit->g, .tgid = hit->tgid};
    struct jsonrpc_pending *pending = jsonrpc_late.lookup(&key);

    if (!pending)
        return;
    pending->buffer = buffer;
    if (pending->declared)
        pending->read = pending->declared >= position ? pending->declared - position : JSONRPC_NOWHERE;
    else if (!pending->read)
        pending->read = position;
}

/* What a Read of a late body returned. Whether it is the body's beginning, which jsonrpc_first_read looks at then. */
static __always_inline int jsonrpc_read_end(struct goinst_hit *hit, s64 length)
{
    nethttp_stand_in(hit);

    struct jsonrpc_goroutine key = {.g = hit->g, .tgid = hit->tgid};
    struct jsonrpc_pending *pending = jsonrpc_late.lookup(&key);
    struct goinst_operation *op;
    u64 buffer, skip, at;

    if (!pending || !pending->buffer || length <= 0)
        return 0;
    buffer = pending->begin = pending->buffer;
    pending->buffer = 0;
    op = goinst_operation_find(hit, 0);
    if (!op || op->head.span_id != pending->span_id)
        return 0;
    at = pending->read;
    if (!pending->sent && !at)
        return 1;
    /* reads before this one were not seen: it began before the probe came */
    if (at > pending->sent)
        return 0;
    skip = pending->sent - at;
    pending->read = at + length;
    if (skip >= length)
        return 0;
    jsonrpc_pieces(op, hit, buffer + skip, length - skip, pending->sent, 0);
    pending->sent += length - skip;
    return 0;
}

/* How much of a body is left that says how long it is; of a chunked one 0 at the beginning, else JSONRPC_NOWHERE. */
static __always_inline u64 jsonrpc_left(u64 body)
{
#if defined(BODY_SRC) && defined(LIMITED_N) && defined(CHUNKED_N) && defined(CHUNKED_BUF) && defined(CHUNKED_END)
    u64 source = go_word(body + BODY_SRC + 8);

    if (go_type_hash(go_word(body + BODY_SRC)) == T_LIMITED_READER)
        return go_word(source + LIMITED_N);
    /* neither in a chunk nor behind one: what ends a chunk is read into buf */
    return go_word(source + CHUNKED_N) || go_byte(source + CHUNKED_BUF) || go_byte(source + CHUNKED_END)
               ? JSONRPC_NOWHERE
               : 0;
#else
    return JSONRPC_NOWHERE;
#endif
}

/* func (b *body) Read(p []byte) (n int, err error) */
PROBE(jsonrpc_read)
{
    jsonrpc_read_begin(hit, ARG(jsonrpc_read, p_ptr), jsonrpc_left(ARG(jsonrpc_read, b)));
    return 0;
}

PROBE(jsonrpc_read_done)
{
    if (jsonrpc_read_end(hit, RESULT(jsonrpc_read_done, n)))
        TAIL_CALL(jsonrpc_first_read);
    return 0;
}

/* The first bytes of a body that had not come when the handler started. */
PROBE(jsonrpc_first_read)
{
    nethttp_stand_in(hit);

    struct jsonrpc_goroutine key = {.g = hit->g, .tgid = hit->tgid};
    struct jsonrpc_pending *pending = jsonrpc_late.lookup(&key);
    struct goinst_operation *op = goinst_operation_find(hit, 0);
    s64 length = RESULT(jsonrpc_read_done, n);
    u8 first[16] = {};
    int json;

    if (!pending || !op || length <= 0)
        return 0;
    bpf_probe_read_user(first, sizeof(first), (void *)pending->begin);
    json = jsonrpc_looks_like_json(first, length, 0);
    if (json == 1) {
        jsonrpc_count_post(JSONRPC_LATE);
        jsonrpc_send(op, hit, pending->begin, length, 0, 0, JSONRPC_READ, 0);
        pending->sent = length;
    } else if (!json) {
        pending->span_id = 0;
    }
    pending->read = length;
    return 0;
}
