/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The option `messages`. A message goes with a header of 5 bytes: whether it is compressed, and its length (gRPC over
 * HTTP/2, "Length-Prefixed-Message"); what is sent has it at hand, and what was received in its parser.
 */

#if GRPC_MESSAGES

static __always_inline u64 grpc_length(u64 header)
{
    return __builtin_bswap32(go_u32(header + 1));
}

/* The served RPC of a stream, on the handler's goroutine or on one that it started. */
static __always_inline struct grpc_server *grpc_serving(struct goinst_hit *hit, u64 first, u64 second)
{
    struct grpc_server *r = grpc_server_current(hit);

    if (r && (r->stream == first || r->stream == second))
        return r;
    r = grpc_server_origin(hit);
    if (r && (r->stream == first || r->stream == second) && grpc_server_operation(r)->state == GOINST_OPEN)
        return r;
    return 0;
}

static __always_inline void grpc_described(struct goinst_hit *hit, u64 stream, u64 other, u64 description, u64 its)
{
    struct grpc_server *r = grpc_server_current(hit);

    if (!r || (r->stream != stream && r->stream != other))
        return;
    if (r->stream == other)
        description = its;
    r->kind = GRPC_KIND_KNOWN;
#if defined(DESC_SERVER) && defined(DESC_CLIENT)
    if (description)
        r->kind |= (go_byte(description + DESC_CLIENT) & 1) | (go_byte(description + DESC_SERVER) & 1) << 1;
#endif
}

/* func (s *Server) processStreamingRPC(ctx context.Context, stream *transport.ServerStream, info *serviceInfo,
 * sd *StreamDesc, trInfo *traceInfo) (err error); with a transport before the stream, or in place of the context */
PROBE(grpc_streaming)
{
    grpc_described(hit, ARG(grpc_streaming, w0), ARG(grpc_streaming, w2), ARG(grpc_streaming, w2),
                   ARG(grpc_streaming, w4));
    return 0;
}

/* func (s *Server) processUnaryRPC(ctx context.Context, stream *transport.ServerStream, ...) (err error) */
PROBE(grpc_unary)
{
    grpc_described(hit, ARG(grpc_unary, w0), ARG(grpc_unary, w2), 0, 0);
    return 0;
}

static __always_inline int grpc_written(struct goinst_hit *hit, u64 stream, u64 header)
{
    struct grpc_server *r = grpc_serving(hit, stream, stream);

    if (!r)
        LOSS(message_unseen);
    if (!r)
        return 0;
    if (!r->first_response)
        r->first_response = bpf_ktime_get_ns() - grpc_server_operation(r)->start;
    __sync_fetch_and_add(&r->sent, 1);
    __sync_fetch_and_add(&r->sent_bytes, grpc_length(header));
    return 0;
}

/* func (t *http2Server) write(s *ServerStream, hdr []byte, data mem.BufferSlice, _ *WriteOptions) error */
PROBE(grpc_write)
{
    return grpc_written(hit, ARG(grpc_write, s), ARG(grpc_write, hdr_ptr));
}

PROBE(grpc_handler_write)
{
    return grpc_written(hit, ARG(grpc_handler_write, s), ARG(grpc_handler_write, hdr_ptr));
}

/* by goroutine: what it waits for */
struct grpc_waiter {
    u64 g;
    u64 tgid;
};
struct grpc_wait {
    u64 parser;
    u64 first;
    u64 second;
    u64 goid; /* a goroutine that panicked leaves its entry to the next one that has its g */
};
BPF_TABLE("lru_hash", struct grpc_waiter, struct grpc_wait, grpc_receiving, 8192); /* the parser, the stream */
BPF_TABLE("lru_hash", struct grpc_waiter, struct grpc_wait, grpc_answering, 8192); /* the parser, the call */

/* func recvAndDecompress(p *parser, s recvCompressor, ...) (out mem.BufferSlice, err error): servers, and clients inside
 * of (*csAttempt).recvMsg */
PROBE(grpc_receive)
{
    struct grpc_waiter key = {.g = hit->g, .tgid = hit->tgid};
    struct grpc_wait wait = {
        .parser = ARG(grpc_receive, p),
        .first = ARG(grpc_receive, first),
        .second = ARG(grpc_receive, second),
        .goid = goinst_goid(hit),
    };
    struct grpc_wait *answer = grpc_answering.lookup(&key);

    if (answer && answer->goid == wait.goid)
        return 0;
    grpc_receiving.update(&key, &wait);
    return 0;
}

/* func (p *parser) recvMsg(maxReceiveMessageSize int) (payloadFormat, mem.BufferSlice, error) */
PROBE(grpc_receive_done)
{
#ifdef PARSER_HEADER
    struct grpc_waiter key = {.g = hit->g, .tgid = hit->tgid};
    struct grpc_wait *kept = grpc_receiving.lookup(&key), wait;
    struct grpc_server *r;

    if (!kept)
        return 0;
    wait = *kept;
    grpc_receiving.delete(&key);
    if (RESULT(grpc_receive_done, err_type) || wait.goid != goinst_goid(hit))
        return 0;
    r = grpc_serving(hit, wait.first, wait.second);
    if (!r) {
        LOSS(message_unseen);
        return 0;
    }
    __sync_fetch_and_add(&r->received, 1);
    __sync_fetch_and_add(&r->received_bytes, grpc_length(wait.parser + PARSER_HEADER));
#endif
    return 0;
}

/* func (a *csAttempt) sendMsg(m any, hdr []byte, payld ..., ...) error */
PROBE(grpc_send)
{
#ifdef GRPC_CLIENT
    u64 call = go_word(ARG(grpc_send, a) + ATTEMPT_CALL);
    struct grpc_client *r = grpc_client_find_keyed(hit, call, 0);

    if (!r) {
        if (!goinst_operation_known(hit, call, 0))
            LOSS(message_unseen);
        return 0;
    }
    __sync_fetch_and_add(&r->sent, 1);
    __sync_fetch_and_add(&r->sent_bytes, grpc_length(ARG(grpc_send, hdr_ptr)));
#endif
    return 0;
}

/* func (a *csAttempt) recvMsg(m any, payInfo *payloadInfo) (err error) */
PROBE(grpc_answer)
{
#ifdef GRPC_CLIENT
    struct grpc_waiter key = {.g = hit->g, .tgid = hit->tgid};
    u64 attempt = ARG(grpc_answer, a);
    struct grpc_wait wait = {.first = go_word(attempt + ATTEMPT_CALL), .goid = goinst_goid(hit)};

#ifdef ATTEMPT_PARSER
    wait.parser = attempt + ATTEMPT_PARSER; /* or where a pointer to it will be */
#endif
    grpc_answering.update(&key, &wait);
#endif
    return 0;
}

PROBE(grpc_answer_done)
{
#if defined(GRPC_CLIENT) && defined(PARSER_HEADER)
    struct grpc_waiter key = {.g = hit->g, .tgid = hit->tgid};
    struct grpc_wait *kept = grpc_answering.lookup(&key), wait;
    struct grpc_client *r;

    if (!kept)
        return 0;
    wait = *kept;
    grpc_answering.delete(&key);
    if (RESULT(grpc_answer_done, err_type) || wait.goid != goinst_goid(hit))
        return 0;
    r = grpc_client_find_keyed(hit, wait.first, 0);
    if (!r) {
        /* a stream may be finished by another goroutine, while this one has a message in its hands */
        if (!goinst_operation_known(hit, wait.first, 0))
            LOSS(message_unseen);
        return 0;
    }
    if (!r->first_response)
        r->first_response = bpf_ktime_get_ns() - grpc_client_operation(r)->start;
#ifndef ATTEMPT_PARSER_INSIDE
    wait.parser = go_word(wait.parser);
#endif
    __sync_fetch_and_add(&r->received, 1);
    __sync_fetch_and_add(&r->received_bytes, grpc_length(wait.parser + PARSER_HEADER));
#endif
    return 0;
}
#endif /* GRPC_MESSAGES */
