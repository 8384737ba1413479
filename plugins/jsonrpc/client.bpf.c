/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* JSON-RPC that net/http's client posts. Its span begins and ends at the same two places as nethttp's: no hit is added.
 *
 * What will be sent is in memory when the round trip begins, if the body is a reader of bytes, or the request can be
 * sent again: GetBody is a closure of net/http.NewRequest, and has the bytes in front, whatever the body is wrapped in.
 * When the response's header is there, an answer that came in one packet with it is in the connection's bufio.Reader.
 */

/* Where a reader of bytes has those that are left to read; 0 when it is none. */
static __always_inline u64 jsonrpc_reader(u64 type, u64 data, u64 *length)
{
    u32 hash = go_type_hash(type);
    u64 used = 0, text = 0;

    if (!hash)
        return 0;
#if defined(BYTES_READER_S) && defined(BYTES_READER_I)
    if (hash == T_BYTES_READER) {
        text = data + BYTES_READER_S;
        used = go_word(data + BYTES_READER_I);
    }
#endif
#if defined(BYTES_BUFFER_BUF) && defined(BYTES_BUFFER_OFF)
    if (hash == T_BYTES_BUFFER) {
        text = data + BYTES_BUFFER_BUF;
        used = go_word(data + BYTES_BUFFER_OFF);
    }
#endif
#if defined(STRINGS_READER_S) && defined(STRINGS_READER_I)
    if (hash == T_STRINGS_READER) {
        text = data + STRINGS_READER_S;
        used = go_word(data + STRINGS_READER_I);
    }
#endif
    if (!text || used >= go_word(text + 8))
        return 0;
    *length = go_word(text + 8) - used;
    return go_word(text) + used;
}

/* The operation that began at this very call: nethttp's, unless one transport called another. */
static __always_inline struct goinst_operation *jsonrpc_round_trip(struct goinst_hit *hit)
{
    struct goinst_operation *op = goinst_operation_find(hit, 0);

    return op && op->depth == goinst_depth(hit) ? op : 0;
}

static __always_inline void jsonrpc_client_begin(struct goinst_hit *hit, u64 request)
{
#if defined(REQUEST_BODY) && defined(REQUEST_GET_BODY)
    struct goinst_operation *op;
    u64 type = go_word(request + REQUEST_BODY), data = go_word(request + REQUEST_BODY + 8), length = 0, body = 0;
    u64 again = go_word(request + REQUEST_GET_BODY);
    u32 hash = go_type_hash(type);
    u8 first[16] = {};

    if (!type || !jsonrpc_is_post(request + REQUEST_METHOD))
        return;
    if (hash && (hash == T_NOP_CLOSER || hash == T_NOP_CLOSER_WRITER_TO)) /* struct{ Reader } */
        body = jsonrpc_reader(go_word(data), go_word(data + 8), &length);
    if (!body && again) {
        length = go_word(again + 16);
        if (length && length == go_word(request + REQUEST_CONTENT_LENGTH))
            body = go_word(again + 8);
    }
    if (!body || !go_copy(first, sizeof(first), body, length) || jsonrpc_looks_like_json(first, length, 0) != 1)
        return;
    op = jsonrpc_round_trip(hit);
    if (op)
        jsonrpc_send(op, hit, body, length, 0, 0, JSONRPC_POSTED, 0);
#endif
}

/* What a client got, as far as it is in the connection's buffer. HTTP/2's is on its way then. */
static __always_inline void jsonrpc_client_end(struct goinst_hit *hit, u64 response, u64 error)
{
#ifdef ANSWER_BODY
    struct goinst_operation *op = jsonrpc_round_trip(hit);
    struct jsonrpc_response *r;
    u64 data = go_word(response + ANSWER_BODY + 8), reader = 0, length = 0, left = ~0ULL, at;
    u32 hash = go_type_hash(go_word(response + ANSWER_BODY));

    if (!op || !jsonrpc_request_sent(op) || error || !response || (T_NO_BODY && hash == T_NO_BODY))
        return;
#if defined(EOF_BODY) && defined(BODY_SRC) && defined(BODY_R) && defined(LIMITED_R) && defined(LIMITED_N)
    if (T_EOF_SIGNAL && hash == T_EOF_SIGNAL && go_type_hash(go_word(data + EOF_BODY)) == T_HTTP_BODY) {
        data = go_word(data + EOF_BODY + 8);
        reader = go_word(data + BODY_R); /* chunked: chunks are read from it */
        if (!reader && go_type_hash(go_word(data + BODY_SRC)) == T_LIMITED_READER) {
            data = go_word(data + BODY_SRC + 8);
            reader = go_word(data + LIMITED_R + 8);
            left = go_word(data + LIMITED_N);
        }
    }
#endif
    at = go_word(reader + READER_R);
    if (reader && go_word(reader + READER_W) > at)
        length = go_word(reader + READER_W) - at;
    if (!length) {
        LOSS(answer_late);
        return;
    }
    if (length > left)
        length = left;
    at += go_word(reader + READER_BUF);
    jsonrpc_rest(op, hit, at, length, 1);
    r = jsonrpc_response_reserve(op, hit);
    if (!r)
        return;
    r->status = 0;
    r->length = length;
    r->source = left == ~0ULL ? JSONRPC_CHUNKED : JSONRPC_WRITER;
    r->query_length = 0;
    r->body_length = go_copy(r->body, sizeof(r->body), at, jsonrpc_first(length));
    jsonrpc_response_submit(r);
#endif
}

/* func (t *Transport) roundTrip(req *Request) (*Response, error) */
PROBE(jsonrpc_call)
{
#ifdef jsonrpc_call__req
    jsonrpc_client_begin(hit, ARG(jsonrpc_call, req));
#endif
    return 0;
}

PROBE(jsonrpc_call_done)
{
#ifdef jsonrpc_call_done__result_resp
    jsonrpc_client_end(hit, RESULT(jsonrpc_call_done, resp), RESULT(jsonrpc_call_done, err_type));
#endif
    return 0;
}

/* func (t *http2.Transport) RoundTripOpt(req *http.Request, opt RoundTripOpt) (*http.Response, error) */
PROBE(jsonrpc_xnet_call)
{
#ifdef jsonrpc_xnet_call__req
    jsonrpc_client_begin(hit, ARG(jsonrpc_xnet_call, req));
#endif
    return 0;
}

PROBE(jsonrpc_xnet_call_done)
{
#ifdef jsonrpc_xnet_call_done__result_resp
    jsonrpc_client_end(hit, RESULT(jsonrpc_xnet_call_done, resp), RESULT(jsonrpc_xnet_call_done, err_type));
#endif
    return 0;
}
