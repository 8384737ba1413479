/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* connect-go: one hit an RPC, where its end is written (Close of the three kinds of handlerConnCloser). It is the
 * goroutine of net/http's handler, whose span this names.
 */

#define CONNECTRPC_WRAPPED 4

static __always_inline void connectrpc_message(struct connectrpc_rpc *r, u64 text)
{
    r->message_length = go_word(text + 8);
    r->message_copied = go_string_at(r->message, sizeof(r->message), text);
}

/* connect-go looks for its *Error in what an error wraps (asError, error.go); so does this, a few deep. An error that
 * has none goes out as unknown (newConnectWireError, grpcErrorToTrailer). */
static __always_inline void connectrpc_error(struct connectrpc_rpc *r, u64 type, u64 data)
{
    u32 hash = 0;

    if (!type)
        return;
#pragma unroll
    for (u32 i = 0; i < CONNECTRPC_WRAPPED; i++) {
        hash = go_type_hash(type);
        if (hash != T_WRAP || !T_WRAP)
            break;
        type = go_word(data + 16); /* fmt.wrapError{msg string, err error} */
        data = go_word(data + 24);
    }
    if (T_TEXT && hash == T_TEXT) {
        r->code = CONNECTRPC_UNKNOWN;
        connectrpc_message(r, data);
        return;
    }
    if (!T_ERROR || hash != T_ERROR) {
        r->code = CONNECTRPC_UNCLEAR;
        LOSS(error_unclear);
        return;
    }
    r->code = go_u32(data + ERROR_CODE);
    hash = go_type_hash(go_word(data + ERROR_ERR));
    /* all of them begin with their text */
    if (hash && (hash == T_TEXT || hash == T_WRAP || hash == T_WRAPS))
        connectrpc_message(r, go_word(data + ERROR_ERR + 8));
}

static __always_inline int connectrpc_closed(struct goinst_hit *hit, u8 protocol, u64 procedure, u64 kind,
                                             u64 error_type, u64 error_data)
{
    struct goinst_operation *op = goinst_operation_find(hit, 0);
    struct connectrpc_rpc *r;

    if (!op) {
        LOSS(no_operation);
        return 0;
    }
    r = connectrpc_rpc_reserve(op, hit);
    if (!r)
        return 0;
    r->protocol = protocol;
    r->kind = go_byte(kind);
    r->code = 0;
    r->message_length = 0;
    r->message_copied = 0;
    r->procedure_length = go_word(procedure + 8);
    go_string_at(r->procedure, sizeof(r->procedure), procedure);
    connectrpc_error(r, error_type, error_data);
    connectrpc_rpc_submit(r);
    return 0;
}

/* func (hc *connectUnaryHandlerConn) Close(err error) error */
PROBE(connectrpc_unary)
{
    u64 hc = ARG(connectrpc_unary, hc);

    return connectrpc_closed(hit, CONNECTRPC_CONNECT, hc + UNARY_PROCEDURE, hc + UNARY_KIND,
                             ARG(connectrpc_unary, err_type), ARG(connectrpc_unary, err_data));
}

/* func (hc *connectStreamingHandlerConn) Close(err error) error */
PROBE(connectrpc_stream)
{
    u64 hc = ARG(connectrpc_stream, hc);

    return connectrpc_closed(hit, CONNECTRPC_CONNECT, hc + STREAM_PROCEDURE, hc + STREAM_KIND,
                             ARG(connectrpc_stream, err_type), ARG(connectrpc_stream, err_data));
}

/* func (hc *grpcHandlerConn) Close(err error) (retErr error) */
PROBE(connectrpc_grpc)
{
    u64 hc = ARG(connectrpc_grpc, hc);

    return connectrpc_closed(hit, go_byte(hc + GRPC_WEB) ? CONNECTRPC_WEB : CONNECTRPC_GRPC, hc + GRPC_PROCEDURE,
                             hc + GRPC_KIND, ARG(connectrpc_grpc, err_type), ARG(connectrpc_grpc, err_data));
}
