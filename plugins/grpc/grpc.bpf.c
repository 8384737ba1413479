/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* grpc-go: two hits an RPC on either side.
 *
 * Server: (*Server).handleStream runs on the stream's own goroutine (server.go) and calls the handler; every way out of
 * it writes a status. Client: (*clientStream).newAttemptLocked is the first thing that is done with a call, on the
 * goroutine that makes it; (*clientStream).finish the last, on whichever goroutine comes first, and again when
 * another one comes later. So calls are known by their address.
 */

#define GRPC_CONTEXTS 10

struct grpc_pair {
    u64 first;
    u64 second;
};

static __always_inline struct grpc_pair grpc_pair_at(u64 address)
{
    struct grpc_pair pair = {};
    bpf_probe_read_user(&pair, sizeof(pair), (void *)address);
    return pair;
}

/* A Go string stored at an address: its length goes to `length`, which is of the size that the record has for it. */
#define grpc_string(destination, length, address)                                                                     \
    ({                                                                                                               \
        struct grpc_pair grpc_s = grpc_pair_at(address);                                                             \
        length = go_copy(destination, sizeof(destination), grpc_s.first, grpc_s.second);                             \
        grpc_s.second;                                                                                               \
    })

/* A net.Addr stored at an address: TCP and Unix sockets are known, what else implements it is not. */
#define grpc_address(kind, length, port, destination, address)                                                       \
    do {                                                                                                             \
        struct grpc_pair grpc_a = grpc_pair_at(address);                                                             \
        u32 grpc_h = go_type_hash(grpc_a.first);                                                                     \
        if (T_TCP_ADDR && grpc_h == T_TCP_ADDR) {                                                                    \
            struct grpc_pair grpc_ip = grpc_pair_at(grpc_a.second + TCPADDR_IP);                                     \
            kind = GRPC_TCP;                                                                                         \
            port = go_u32(grpc_a.second + TCPADDR_PORT);                                                             \
            length = go_copy(destination, 16, grpc_ip.first, grpc_ip.second);                                        \
        } else if (T_UNIX_ADDR && grpc_h == T_UNIX_ADDR) {                                                           \
            kind = GRPC_UNIX;                                                                                        \
            grpc_string(destination, length, grpc_a.second + UNIXADDR_NAME);                                         \
        }                                                                                                            \
    } while (0)

#if !defined(TCPADDR_IP) || !defined(TCPADDR_PORT)
#undef T_TCP_ADDR
#define T_TCP_ADDR 0
#define TCPADDR_IP 0
#define TCPADDR_PORT 0
#endif
#ifndef UNIXADDR_NAME
#undef T_UNIX_ADDR
#define T_UNIX_ADDR 0
#define UNIXADDR_NAME 0
#endif

/* transport.Stream of the stream that grpc hands around: itself, behind a pointer, or inside it */
static __always_inline u64 grpc_stream(u64 stream)
{
#if defined(SERVER_STREAM_INSIDE)
    return stream + SERVER_STREAM;
#elif defined(SERVER_STREAM)
    return go_word(stream + SERVER_STREAM);
#else
    return stream;
#endif
}

static __always_inline u64 grpc_client_stream(u64 stream)
{
#if defined(CLIENT_STREAM_INSIDE)
    return stream + CLIENT_STREAM;
#elif defined(CLIENT_STREAM)
    return go_word(stream + CLIENT_STREAM);
#else
    return stream;
#endif
}

struct grpc_context {
    u64 wall; /* the deadline, as time.Time has it */
    u64 ext;
    u64 metadata; /* the map of what came in */
    u32 found;    /* a deadline was there */
};

/* Looks through a context and what it is derived from: for the deadline, and on a server for the incoming metadata.
 * The server's is made of what has no deadline above its own. */
static __always_inline void grpc_look_through(struct grpc_context *found, u64 type, u64 data, int server)
{
    struct grpc_pair parent, value;
    u32 hash;

#pragma unroll
    for (u32 i = 0; i < GRPC_CONTEXTS; i++) {
        hash = go_type_hash(type);
        if (!hash)
            break;
        if (hash == T_VALUE_CTX) {
            if (server && !found->metadata && go_type_hash(go_word(data + VALUE_KEY)) == T_INCOMING)
                found->metadata = go_word(data + VALUE_VALUE + 8);
#ifdef TIMER_DEADLINE
        } else if (hash == T_TIMER_CTX) {
            value = grpc_pair_at(data + TIMER_DEADLINE);
            found->wall = value.first;
            found->ext = value.second;
            found->found = 1;
            break;
#endif
        } else if (hash != T_CANCEL_CTX || server) {
            break;
        }
        /* all of them begin with the context that they were made of (context/context.go) */
        parent = grpc_pair_at(data);
        type = parent.first;
        data = parent.second;
    }
}

/* Metadata is map[string][]string. Eight entries are together: in a group (Go 1.24: control bytes, then keys and
 * values in turn) or in a bucket (tops of the hashes, then the keys, then the values). */
#if defined(MAP_DIRECTORY) && defined(MAP_LENGTH) && defined(TABLE_GROUPS) && defined(TABLE_MASK)
#define GRPC_GROUP_SIZE 328
#define GRPC_IS_FULL(control) (!((control) & 0x80))
#ifdef GROUP_SLOTS
#define GRPC_KEY(i) (8 + 40 * (i))
#define GRPC_VALUE(i) (8 + 40 * (i) + 16)
#else /* GOEXPERIMENT=mapsplitgroup */
#define GRPC_KEY(i) (8 + 16 * (i))
#define GRPC_VALUE(i) (8 + 128 + 24 * (i))
#endif
#elif defined(HMAP_B) && defined(HMAP_BUCKETS)
#define GRPC_GROUP_SIZE 336 /* with the pointer to the overflow bucket */
#define GRPC_IS_FULL(control) ((control) >= 5)
#define GRPC_KEY(i) (8 + 16 * (i))
#define GRPC_VALUE(i) (8 + 128 + 24 * (i))
#endif

#ifdef GRPC_GROUP_SIZE
struct grpc_headers {
    u64 authority; /* addresses of the values */
    u64 agent;
    u64 context;
};

/* whether the option names any keys: which ones, user space knows */
#define GRPC_QUOTE_(...) #__VA_ARGS__
#define GRPC_QUOTE(...) GRPC_QUOTE_(__VA_ARGS__)
#define GRPC_CAPTURES (sizeof(GRPC_QUOTE(GRPC_CAPTURE)) > 1)

static __always_inline void grpc_send_entry(struct goinst_hit *hit, struct grpc_server *r, u64 key, u64 key_length,
                                            u64 value)
{
    struct grpc_metadata *m = grpc_metadata_reserve(grpc_server_operation(r), hit);

    if (!m)
        return;
    m->key_length = go_copy(m->key, sizeof(m->key), key, key_length);
    m->value_whole = grpc_string(m->value, m->value_length, value);
    grpc_metadata_submit(m);
}

/* tail of the record is where the group is copied to: nothing else is in there yet */
static __always_inline void grpc_group(struct grpc_server *r, struct grpc_headers *found, u64 group,
                                       struct goinst_hit *hit)
{
    if (bpf_probe_read_user(r->tail, 328, (void *)group) != 0) {
        /* the page behind it may never have been touched: all there is still zero, as what was not read is now */
        if (!go_copy(r->tail, 328, group, 4096 - (group & 4095)))
            return;
    }
#pragma unroll
    for (u32 i = 0; i < 8; i++) {
        u64 length = *(u64 *)(r->tail + GRPC_KEY(i) + 8), value;
        u32 start;

        if (!GRPC_IS_FULL((u8)r->tail[i]))
            continue;
        if (GRPC_CAPTURES)
            grpc_send_entry(hit, r, *(u64 *)(r->tail + GRPC_KEY(i)), length, *(u64 *)(r->tail + GRPC_VALUE(i)));
        if (length != 10 && length != 11)
            continue;
        start = go_u32(*(u64 *)(r->tail + GRPC_KEY(i)));
        value = *(u64 *)(r->tail + GRPC_VALUE(i));
        if (length == 10 && start == 0x7475613a) /* ":authority" */
            found->authority = value;
        else if (length == 10 && start == 0x72657375) /* "user-agent" */
            found->agent = value;
        else if (length == 11 && start == 0x63617274) /* "traceparent" */
            found->context = value;
    }
}

static __always_inline void grpc_read_metadata(struct goinst_hit *hit, struct grpc_server *r, u64 map)
{
    struct grpc_headers found = {};
    u64 group, groups = 1, cut = 0;

#ifdef MAP_DIRECTORY
    struct grpc_pair place;
    u64 tables = go_word(map + MAP_LENGTH);
    group = go_word(map + MAP_DIRECTORY);
    if (tables) {
        group = go_word(group);
        place = grpc_pair_at(group + TABLE_GROUPS);
        group = place.first;
        groups = go_word(go_word(go_word(map + MAP_DIRECTORY)) + TABLE_MASK) + 1;
        cut = tables > 1;
    }
#else
    group = go_word(map + HMAP_BUCKETS);
    groups = 1UL << (go_byte(map + HMAP_B) & 31);
#endif
    grpc_group(r, &found, group, hit);
    if (groups > 1)
        grpc_group(r, &found, group + GRPC_GROUP_SIZE, hit);
    if (groups > 2 || cut) {
        r->flags |= GRPC_METADATA_CUT;
        LOSS(metadata_cut);
    }
    if (found.authority)
        grpc_string(r->authority, r->authority_length, found.authority);
    if (found.agent)
        grpc_string(r->agent, r->agent_length, found.agent);
    if (found.context)
        grpc_string(r->context, r->context_length, found.context);
    goinst_operation_adopt_text(grpc_server_operation(r), r->context, r->context_length);
}
#endif

/* An RPC begins; `kind` is the type of its transport. Whether grpc_seek has to be asked for its trace context. */
static __always_inline int grpc_open(struct goinst_hit *hit, u32 kind, u64 transport, u64 stream)
{
    struct grpc_server *r = grpc_server_begin(hit);
    struct goinst_operation *outer;
    struct grpc_context context = {};
    struct grpc_pair pair;

    if (!r)
        return 0;
    r->stream = stream;
    r->flags = 0;
    r->peer_kind = 0;
    r->local_kind = 0;
    r->peer_length = 0;
    r->local_length = 0;
    r->authority_length = 0;
    r->agent_length = 0;
    r->context_length = 0;
    r->code = 0;
    r->message_length = 0;
    r->message_copied = 0;
    r->answer_length = 0;
    r->kind = 0;
    r->first_response = 0;
    r->sent = 0;
    r->sent_bytes = 0;
    r->received = 0;
    r->received_bytes = 0;

    stream = grpc_stream(stream);
    r->stream_id = go_u32(stream + STREAM_ID);
    r->method_length = grpc_string(r->method, r->method_length, stream + STREAM_METHOD);
    grpc_string(r->encoding, r->encoding_length, stream + STREAM_ENCODING);
    pair = grpc_pair_at(stream + STREAM_CTX);
    grpc_look_through(&context, pair.first, pair.second, 1);
    if (context.found)
        r->flags |= GRPC_DEADLINE;
    r->deadline_wall = context.wall;
    r->deadline_ext = context.ext;
#ifdef GRPC_GROUP_SIZE
    if (context.metadata)
        grpc_read_metadata(hit, r, context.metadata);
#endif
#if defined(SERVER_PEER) && defined(SERVER_LOCAL)
    if (T_SERVER && kind == T_SERVER) {
        grpc_address(r->peer_kind, r->peer_length, r->peer_port, r->peer, transport + SERVER_PEER);
        grpc_address(r->local_kind, r->local_length, r->local_port, r->local, transport + SERVER_LOCAL);
#ifdef SERVER_AUTH
        if (T_TLS_INFO && go_type_hash(go_word(transport + SERVER_AUTH)) == T_TLS_INFO)
            r->flags |= GRPC_TLS;
#endif
    }
#endif
    if (T_HANDLER && kind == T_HANDLER) {
        /* net/http's handler has given it its request's context: that request, if it is traced, is what this is part of */
        hit->context = pair.second;
        outer = goinst_operation_ancestor(hit);
        if (outer)
            goinst_operation_join(grpc_server_operation(r), outer);
    }
    goinst_operation_context(grpc_server_operation(r), hit, pair.second, pair.second);
#if defined(HANDLER_REQUEST) && defined(REQUEST_REMOTE)
    if (T_HANDLER && kind == T_HANDLER) {
        r->flags |= GRPC_SERVED_BY_HTTP;
        r->peer_kind = GRPC_TEXT;
        grpc_string(r->peer, r->peer_length, go_word(transport + HANDLER_REQUEST) + REQUEST_REMOTE);
    }
#endif
    r->metadata = context.metadata;
    return (r->flags & GRPC_METADATA_CUT) && !r->context_length;
}

/* func (s *Server) handleStream(t transport.ServerTransport, stream *transport.ServerStream) */
PROBE(grpc_serve)
{
    if (grpc_open(hit, go_type_hash(ARG(grpc_serve, t_type)), ARG(grpc_serve, t_data), ARG(grpc_serve, stream)))
        TAIL_CALL(grpc_seek);
    return 0;
}

#if defined(grpc_process__w0) || defined(grpc_process_unary__w0)
#define GRPC_PROCESSED 1
static __always_inline int grpc_is_transport(u32 hash)
{
    return hash && (hash == T_SERVER || hash == T_HANDLER);
}

/* Where handleStream is inlined: what it calls for a method that there is. Before the stream come a transport (until grpc
 * 1.58), a context and a transport (until 1.68), or a context. */
static __always_inline int grpc_processes(struct goinst_hit *hit, u64 type, u64 data, u64 w0, u64 w1, u64 w2)
{
    u64 stream = w0, transport = data;
    u32 kind = go_type_hash(type);
    struct grpc_server *r = grpc_server_current(hit);

    if (!grpc_is_transport(kind)) {
        kind = go_type_hash(w0);
        stream = w2;
        transport = w1;
    }
#ifdef SERVER_STREAM_TRANSPORT
    if (!grpc_is_transport(kind)) {
        struct grpc_pair owner = grpc_pair_at(w0 + SERVER_STREAM_TRANSPORT);

        kind = go_type_hash(owner.first);
        stream = w0;
        transport = owner.second;
    }
#endif
    if (r && r->stream == stream)
        return 0;
    return grpc_open(hit, kind, transport, stream);
}
#endif

/* func (s *Server) processStreamingRPC(...), or processRPC, which has a `defer` and so is never inlined */
PROBE(grpc_process)
{
#ifdef grpc_process__w0
    if (grpc_processes(hit, ARG(grpc_process, first_type), ARG(grpc_process, first_data), ARG(grpc_process, w0),
                       ARG(grpc_process, w1), ARG(grpc_process, w2)))
        TAIL_CALL(grpc_seek);
#endif
    return 0;
}

/* func (s *Server) processUnaryRPC(...) */
PROBE(grpc_process_unary)
{
#ifdef grpc_process_unary__w0
    if (grpc_processes(hit, ARG(grpc_process_unary, first_type), ARG(grpc_process_unary, first_data),
                       ARG(grpc_process_unary, w0), ARG(grpc_process_unary, w1), ARG(grpc_process_unary, w2)))
        TAIL_CALL(grpc_seek);
#endif
    return 0;
}

/* More metadata than grpc_serve looks through: the trace context alone is worth going through all of it. */
PROBE(grpc_seek)
{
#ifdef GO_MAP
    struct grpc_server *r = grpc_server_current(hit);
    struct go_map walk = {};
    u64 key;

    if (!r)
        return 0;
    go_map_begin(&walk, r->metadata);
    for (u32 i = 0; i < GO_MAP_SLOTS; i++) {
        if ((i & 7) == 0 && !go_map_enter(&walk, i >> 3))
            break;
        key = go_map_key(&walk, i & 7);
        if (!key || go_word(key + 8) != 11 || go_word(go_word(key)) != 0x7261706563617274ULL) /* "tracepar" */
            continue;
        grpc_string(r->context, r->context_length, go_word(go_map_element(&walk, i & 7, key)));
        goinst_operation_adopt_text(grpc_server_operation(r), r->context, r->context_length);
        break;
    }
#endif
    return 0;
}

static __always_inline void grpc_read_status(struct grpc_server *r, u64 status)
{
    u64 proto = go_word(status + STATUS_PROTO);
    struct grpc_pair message;

    if (r->flags & GRPC_HAS_STATUS)
        return;
    r->code = go_u32(proto + PROTO_CODE);
    if (r->code) {
        message = grpc_pair_at(proto + PROTO_MESSAGE);
        r->message_length = message.second;
        r->message_copied = go_copy(r->tail, sizeof(r->tail), message.first, message.second);
    }
#ifdef STREAM_ANSWER
    grpc_string(r->answer, r->answer_length, grpc_stream(r->stream) + STREAM_ANSWER);
#endif
    r->flags |= GRPC_HAS_STATUS;
}

#define GRPC_UNIMPLEMENTED 12

/* Where handleStream is inlined, one for a method that there is not is seen when it is refused: it ends as it begins. */
static __always_inline int grpc_refused(struct goinst_hit *hit, u32 kind, u64 transport, u64 stream, u64 status)
{
#ifdef GRPC_PROCESSED
    u64 proto = go_word(status + STATUS_PROTO);
    struct grpc_pair text = grpc_pair_at(proto + PROTO_MESSAGE);
    u64 start = go_word(text.first);
    struct grpc_server *r;

    if (go_u32(proto + PROTO_CODE) != GRPC_UNIMPLEMENTED || text.second < 8 ||
        (start != 0x206e776f6e6b6e75ULL /* "unknown " */ && start != 0x656d726f666c616dULL /* "malforme" */))
        return 0;
    grpc_open(hit, kind, transport, stream);
    r = grpc_server_current(hit);
    if (!r || r->stream != stream)
        return 1;
    grpc_read_status(r, status);
    grpc_server_end(r, r->message_copied);
    return 1;
#else
    return 0;
#endif
}

static __always_inline int grpc_served(struct goinst_hit *hit, u32 kind, u64 transport, u64 stream, u64 status)
{
    struct grpc_server *r = grpc_server_current(hit);

    if (r && r->stream == stream) {
        grpc_read_status(r, status);
        grpc_server_end(r, r->message_copied);
        return 0;
    }
    /* a goroutine that the handler started has failed to receive: that is the status, but not the handler's end */
    r = grpc_server_origin(hit);
    if (r && r->stream == stream) {
        if (grpc_server_operation(r)->state == GOINST_OPEN)
            grpc_read_status(r, status);
        return 0;
    }
    /* a stream that its client gave up gets a second status */
    r = grpc_server_last(hit);
    if ((!r || r->stream != stream) && !grpc_refused(hit, kind, transport, stream, status))
        LOSS(began_unseen);
    return 0;
}

/* func (t *http2Server) writeStatus(s *ServerStream, st *status.Status) error */
PROBE(grpc_status)
{
    return grpc_served(hit, T_SERVER, ARG(grpc_status, t), ARG(grpc_status, s), ARG(grpc_status, st));
}

/* func (ht *serverHandlerTransport) writeStatus(s *ServerStream, st *status.Status) error */
PROBE(grpc_handler_status)
{
    return grpc_served(hit, T_HANDLER, ARG(grpc_handler_status, t), ARG(grpc_handler_status, s),
                       ARG(grpc_handler_status, st));
}

/* The handler will not come back: no status is written. */
static __always_inline int grpc_gone(struct goinst_hit *hit, u8 how)
{
    struct grpc_server *r = grpc_server_current(hit);

    if (!r || grpc_server_operation(r)->goid != goinst_goid(hit))
        return 0;
    r->flags |= how;
    grpc_server_end(r, 0);
    return 0;
}

/* func fatalpanic(msgs *_panic): on the goroutine that panicked, before the process ends (runtime/panic.go) */
PROBE(grpc_crash)
{
    return grpc_gone(hit, GRPC_CRASHED);
}

/* func Goexit(): nothing keeps the goroutine from ending */
PROBE(grpc_exit)
{
    return grpc_gone(hit, GRPC_EXITED);
}

#if defined(CALL_HEADER) && defined(CALL_DESC) && defined(CALL_CTX) && defined(CALL_ATTEMPT) &&                      \
    defined(CALL_FIRST) && defined(CALL_FINISHED) && defined(HEADER_HOST) && defined(HEADER_METHOD) &&               \
    defined(HEADER_ENCODING) && defined(ATTEMPT_TRANSPORT) && defined(ATTEMPT_STREAM) && defined(DESC_SERVER) &&     \
    defined(DESC_CLIENT) && defined(ERROR_STATUS)
#define GRPC_CLIENT 1
#endif

/* Beside calls, which are known by the address of their clientStream and 0: one that a goroutine (its address, and this)
 * begins, and that has no clientStream yet. */
#define GRPC_WAITING 1

/* func newClientStream(ctx context.Context, desc *StreamDesc, cc *ClientConn, method string, opts ...CallOption)
 * (ClientStream, error): attached once a call was given up while its server's name was resolved */
PROBE(grpc_call)
{
#if defined(GRPC_CLIENT) && defined(CONN_AUTHORITY)
    u64 description = ARG(grpc_call, desc), length = ARG(grpc_call, method_len);
    struct grpc_client *r;

    hit->context = ARG(grpc_call, ctx_data);
    r = grpc_client_begin_keyed(hit, hit->g, GRPC_WAITING);
    if (!r)
        return 0;
    r->method_length = length;
    go_copy(r->method, sizeof(r->method), ARG(grpc_call, method_ptr), length);
    grpc_string(r->authority, r->authority_length, ARG(grpc_call, cc) + CONN_AUTHORITY);
    r->kind = (go_byte(description + DESC_CLIENT) & 1) | (go_byte(description + DESC_SERVER) & 1) << 1;
#endif
    return 0;
}

#ifdef GRPC_CLIENT
static __always_inline void grpc_connection(struct grpc_client *r, u64 attempt)
{
    struct grpc_pair transport = grpc_pair_at(attempt + ATTEMPT_TRANSPORT);
    u64 stream = go_word(attempt + ATTEMPT_STREAM), at = transport.second;

    if (stream) {
        stream = grpc_client_stream(stream);
        r->stream_id = go_u32(stream + STREAM_ID);
        grpc_string(r->answer, r->answer_length, stream + STREAM_ENCODING);
    }
#if defined(CLIENT_PEER) && defined(CLIENT_LOCAL)
    if (!T_CLIENT || go_type_hash(transport.first) != T_CLIENT)
        return;
    grpc_address(r->peer_kind, r->peer_length, r->peer_port, r->peer, at + CLIENT_PEER);
    grpc_address(r->local_kind, r->local_length, r->local_port, r->local, at + CLIENT_LOCAL);
#ifdef CLIENT_AUTH
    if (T_TLS_INFO && go_type_hash(go_word(at + CLIENT_AUTH)) == T_TLS_INFO)
        r->flags |= GRPC_TLS;
#endif
#endif
}

/* What the caller is told: a status, or another error, of which the text is enough to know io.EOF. */
static __always_inline void grpc_error(struct grpc_client *r, u64 type, u64 data)
{
    struct grpc_pair text = {};
    u32 hash = go_type_hash(type);
    u64 proto;

    if (!type)
        return;
    r->error = GRPC_OTHER_ERROR;
    if (T_STATUS_ERROR && hash == T_STATUS_ERROR) {
        r->error = GRPC_STATUS_ERROR;
        proto = go_word(go_word(data + ERROR_STATUS) + STATUS_PROTO);
        r->code = go_u32(proto + PROTO_CODE);
        text = grpc_pair_at(proto + PROTO_MESSAGE);
    } else if (T_TEXT_ERROR && hash == T_TEXT_ERROR) {
        r->error = GRPC_TEXT_ERROR;
        text = grpc_pair_at(data); /* errors.errorString{s string} */
    } else if (T_DEADLINE_ERROR && hash == T_DEADLINE_ERROR) {
        r->error = GRPC_DEADLINE_ERROR;
    }
    r->message_length = text.second;
    r->message_copied = go_copy(r->tail, sizeof(r->tail), text.first, text.second);
}

static __always_inline void grpc_end_call(struct grpc_client *r, u64 call, u64 error_type, u64 error_data)
{
    u64 header = go_word(call + CALL_HEADER), description = go_word(call + CALL_DESC);
    u64 attempt = go_word(call + CALL_ATTEMPT);
    struct grpc_context context = {};
    struct grpc_pair pair = grpc_pair_at(call + CALL_CTX);

    r->method_length = grpc_string(r->method, r->method_length, header + HEADER_METHOD);
    grpc_string(r->authority, r->authority_length, header + HEADER_HOST);
    grpc_string(r->encoding, r->encoding_length, header + HEADER_ENCODING);
    r->kind = (go_byte(description + DESC_CLIENT) & 1) | (go_byte(description + DESC_SERVER) & 1) << 1;
    if (attempt)
        grpc_connection(r, attempt);
    grpc_look_through(&context, pair.first, pair.second, 0);
    if (context.found)
        r->flags |= GRPC_DEADLINE;
    r->deadline_wall = context.wall;
    r->deadline_ext = context.ext;
#if defined(grpc_operation__cs) && defined(CALL_RETRIES)
    if (r->attempts <= go_u32(call + CALL_RETRIES)) /* retries may be inlined, too */
        r->attempts = go_u32(call + CALL_RETRIES) + 1;
#endif
    grpc_error(r, error_type, error_data);
    grpc_client_end(r, r->message_copied);
}

static __always_inline void grpc_call_begins(struct goinst_hit *hit, u64 call)
{
    struct grpc_pair context, error;
    struct grpc_client *r, *waiting;
    u32 hash;

#ifdef CALL_CTX
    hit->context = go_word(call + CALL_CTX + 8);
#endif
    r = grpc_client_begin_keyed(hit, call, 0);
    if (!r)
        return;
    r->attempts = 1;
    waiting = grpc_client_find_keyed(hit, hit->g, GRPC_WAITING);
    if (waiting) {
        grpc_client_operation(r)->start = grpc_client_operation(waiting)->start;
        grpc_client_forget_keyed(hit, hit->g, GRPC_WAITING);
    }
#if defined(grpc_finish_attempt__a) && defined(CANCEL_ERROR)
    /* where finish is inlined, the end of a call that there is no attempt of is not seen: its context is over already */
    context = grpc_pair_at(call + CALL_CTX);
    hash = go_type_hash(context.first);
    if (hash && (hash == T_CANCEL_CTX || hash == T_TIMER_CTX)) {
        error = grpc_pair_at(context.second + CANCEL_ERROR); /* timerCtx begins with a cancelCtx */
        if (error.first)
            grpc_end_call(r, call, error.first, error.second); /* not forgotten: finish may be seen all the same */
    }
#endif
}
#endif

/* func (cs *clientStream) newAttemptLocked(isTransparent bool) (*csAttempt, error) */
PROBE(grpc_attempt)
{
#ifdef GRPC_CLIENT
    u64 call = ARG(grpc_attempt, cs);
    struct grpc_client *r;

#ifdef GRPC_PROPAGATE
    grpc_makes_fields(hit, call);
#endif
    if (!go_byte(call + CALL_FIRST)) {
        r = grpc_client_find_keyed(hit, call, 0);
        if (r) {
            r->attempts++;
            return 0;
        }
        LOSS(began_unseen);
    }
    grpc_call_begins(hit, call);
#endif
    return 0;
}

/* Where newAttemptLocked is inlined: func (cs *clientStream) withRetry(op func(a *csAttempt) error, onSuccess func())
 * error, which makes the first attempt of a call */
PROBE(grpc_operation)
{
#if defined(GRPC_CLIENT) && defined(grpc_operation__cs)
    u64 call = ARG(grpc_operation, cs);

    if (go_word(call + CALL_ATTEMPT) || !go_byte(call + CALL_FIRST) || go_byte(call + CALL_FINISHED))
        return 0;
#ifdef GRPC_PROPAGATE
    grpc_makes_fields(hit, call);
#endif
    grpc_call_begins(hit, call);
#endif
    return 0;
}

#ifdef GRPC_CLIENT
/* by goroutine: a call that has no stream yet, while grpc decides whether to try again */
struct grpc_goroutine {
    u64 g;
    u64 tgid;
};
BPF_TABLE("lru_hash", struct grpc_goroutine, u64, grpc_streamless, 4096);

static __always_inline void grpc_end(struct goinst_hit *hit, struct grpc_client *r, u64 call, u64 error_type,
                                     u64 error_data)
{
    grpc_end_call(r, call, error_type, error_data);
    /* a stream may be finished by two goroutines at a time: the other one will look for it, too */
    if (!r->kind)
        grpc_client_forget_keyed(hit, call, 0);
}

static __always_inline void grpc_finished(struct goinst_hit *hit, u64 call, u64 error_type, u64 error_data)
{
    struct grpc_client *r = grpc_client_find_keyed(hit, call, 0);

    if (r)
        grpc_end(hit, r, call, error_type, error_data);
    else if (!goinst_operation_known(hit, call, 0))
        LOSS(began_unseen);
}
#endif

/* func (cs *clientStream) finish(err error) */
PROBE(grpc_finish)
{
#ifdef GRPC_CLIENT
    u64 call = ARG(grpc_finish, cs);

    if (!go_byte(call + CALL_FINISHED))
        grpc_finished(hit, call, ARG(grpc_finish, err_type), ARG(grpc_finish, err_data));
#endif
    return 0;
}

/* Where finish is inlined: func (a *csAttempt) finish(err error), which it calls once */
PROBE(grpc_finish_attempt)
{
#if defined(GRPC_CLIENT) && defined(ATTEMPT_CALL) && defined(grpc_finish_attempt__a)
    u64 call = go_word(ARG(grpc_finish_attempt, a) + ATTEMPT_CALL);

    grpc_finished(hit, call, ARG(grpc_finish_attempt, err_type), ARG(grpc_finish_attempt, err_data));
#endif
    return 0;
}

/* func (a *csAttempt) shouldRetry(err error) (bool, error): an attempt failed. A call whose stream could not be made
 * (nothing is in the buffer of what would be sent again) is not finished, when this says no: its error is returned. */
PROBE(grpc_retry)
{
#if defined(GRPC_CLIENT) && defined(CALL_BUFFER) && defined(ATTEMPT_CALL)
    struct grpc_goroutine key = {.g = hit->g, .tgid = hit->tgid};
    u64 attempt = ARG(grpc_retry, a), call = go_word(attempt + ATTEMPT_CALL);

    if (!go_word(attempt + ATTEMPT_STREAM) && !go_word(call + CALL_BUFFER + 8))
        grpc_streamless.update(&key, &call);
#endif
    return 0;
}

PROBE(grpc_give_up)
{
#if defined(GRPC_CLIENT) && defined(CALL_BUFFER) && defined(ATTEMPT_CALL)
    struct grpc_goroutine key = {.g = hit->g, .tgid = hit->tgid};
    u64 *kept = grpc_streamless.lookup(&key), call;
    struct grpc_client *r;

    if (!kept)
        return 0;
    call = *kept;
    grpc_streamless.delete(&key);
    if (!RESULT(grpc_give_up, final_type))
        return 0;
    r = grpc_client_find_keyed(hit, call, 0);
    if (r)
        grpc_end(hit, r, call, RESULT(grpc_give_up, final_type), RESULT(grpc_give_up, final_data));
    else
        LOSS(began_unseen);
#endif
    return 0;
}

/* func status.FromContextError(err error) *Status, called by (*ClientConn).waitForResolvedAddrs: the call's context
 * ended before the first word of the resolver */
PROBE(grpc_unresolved)
{
#ifdef GRPC_CLIENT
    struct grpc_client *r = grpc_client_find_keyed(hit, hit->g, GRPC_WAITING);

    if (!r) {
        LOSS(unresolved);
        SIGNAL(unresolved);
        return 0;
    }
    grpc_error(r, ARG(grpc_unresolved, err_type), ARG(grpc_unresolved, err_data));
    grpc_client_end(r, r->message_copied);
    grpc_client_forget_keyed(hit, hit->g, GRPC_WAITING);
#endif
    return 0;
}
