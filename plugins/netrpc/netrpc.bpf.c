/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* net/rpc over its own two codecs, gob and JSON: two hits a call on a server, two (JSON) or three (gob) on a client.
 *
 * Server: (*service).call and then sendResponse run on one goroutine, with the request and the codec as arguments. A
 * call that names no method gets sendResponse only. Client: WriteRequest has the request; when ReadResponseBody is
 * called the response's header has been read, which the JSON codec keeps itself, and gob's caller keeps for it.
 */

#define NETRPC_MAP_GROUPS 32

/* by goroutine of (*Client).input: where gob's ReadResponseHeader puts the header */
struct netrpc_goroutine {
    u64 g;
    u64 tgid;
};
BPF_TABLE("lru_hash", struct netrpc_goroutine, u64, netrpc_headers, 4096);

static __always_inline u8 netrpc_codec(u64 type)
{
    u32 hash = go_type_hash(type);

    if (T_JSON_SERVER && hash == T_JSON_SERVER)
        return NETRPC_JSON;
    if (T_GOB_SERVER && hash == T_GOB_SERVER)
        return NETRPC_GOB;
    return NETRPC_OTHER;
}

static __always_inline void netrpc_fill(struct netrpc_server *r, u8 codec, u64 request)
{
    r->codec = codec;
    r->flags = 0;
    r->id_length = 0;
    r->error_length = 0;
    r->error_copied = 0;
    r->sequence = go_word(request + REQUEST_SEQ);
    r->method_length = go_word(request + REQUEST_METHOD + 8);
    r->method_copied = go_string_at(r->method, sizeof(r->method), request + REQUEST_METHOD);
}

/* func (s *service) call(server, sending, wg, mtype, req, argv, replyv, codec) */
PROBE(netrpc_call)
{
    u8 codec = netrpc_codec(ARG(netrpc_call, codec_type));
    struct netrpc_server *r;

    /* The jsonrpc plugin has the call already when the body of an HTTP request is what the codec reads. */
    if (codec == NETRPC_JSON && goinst_operation_around(hit))
        return 0;
    r = netrpc_server_begin(hit);
    if (!r)
        return 0;
    netrpc_fill(r, codec, ARG(netrpc_call, req));
#ifdef JSON_SERVER_PENDING
    if (codec == NETRPC_JSON)
        TAIL_CALL(netrpc_find_id);
#endif
    return 0;
}

#ifdef JSON_SERVER_PENDING
/* The request's id as it was sent: serverCodec.pending, a map[uint64]*json.RawMessage, keeps it under Request.Seq.
 *
 * A map is read without its lock and its hash: groups (buckets before 1.24) of 8 keys, one after the other. A
 * group is 8 control bytes and then keys and values in turn; or all keys, then all values (buckets and, by experiment,
 * 1.27). Values are pointers, so the two cannot be taken for each other.
 */
struct netrpc_group {
    u64 control;
    u64 words[16];
#ifndef SWISS_DIRECTORY
    u64 overflow; /* a bucket may go on in another one */
#endif
};

/* 1 for what is not 0, without a branch: the verifier would follow both ways, 16 times a group. The compiler would make
 * one of it if it knew what is computed here. */
static __always_inline u64 netrpc_is_set(u64 value)
{
    value |= -value;
    asm volatile("" : "+r"(value));
    return value >> 63;
}

/* `value` when `a` is `b` and `value` a pointer, else 0. */
static __always_inline u64 netrpc_if_equal(u64 a, u64 b, u64 value)
{
    return value & (netrpc_is_set(a ^ b) - 1) & -netrpc_is_set(value >> 32);
}

static __always_inline u64 netrpc_in_group(struct netrpc_group *group, u64 key)
{
    u64 found = 0;
#pragma unroll
    for (int i = 0; i < 8; i++) {
        found |= netrpc_if_equal(group->words[2 * i], key, group->words[2 * i + 1]);
        found |= netrpc_if_equal(group->words[i], key, group->words[8 + i]);
    }
    return found;
}

/* Looks for `key` in up to NETRPC_MAP_GROUPS groups, those that overflow from others included. */
static __always_inline u64 netrpc_scan(u64 groups, u64 count, u64 key)
{
    struct netrpc_group group;
    u64 found = 0, address = groups, at = 0;

    for (u32 i = 0; i < NETRPC_MAP_GROUPS; i++) {
        if (found || at >= count)
            break;
        /* what cannot be read is all zero */
        bpf_probe_read_user(&group, sizeof(group), (void *)address);
        found = netrpc_in_group(&group, key);
#ifdef SWISS_DIRECTORY
        at++;
        address += sizeof(group);
#else
        at += 1 - netrpc_is_set(group.overflow);
        address = group.overflow | ((groups + at * sizeof(group)) & (netrpc_is_set(group.overflow) - 1));
#endif
    }
    return found;
}

static __always_inline int netrpc_identify(struct netrpc_server *r, u64 map)
{
    u64 groups, count = 1, raw = 0;

    if (!r || !map)
        return 0;
#ifdef SWISS_DIRECTORY
    groups = go_word(map + SWISS_DIRECTORY);
    if (go_word(map + SWISS_DIRECTORY + 8)) { /* dirLen: more than 8 keys once, then there are tables; the first */
        u64 table = go_word(groups);
        groups = go_word(table + TABLE_GROUPS);
        count = go_word(table + TABLE_GROUPS + 8) + 1; /* lengthMask */
    }
    raw = netrpc_scan(groups, count, r->sequence);
#else
    count = 1UL << (go_byte(map + HMAP_B) & 63);
    raw = netrpc_scan(go_word(map + HMAP_BUCKETS), count, r->sequence);
    groups = go_word(map + HMAP_OLDBUCKETS); /* while the map grows */
    if (!raw && groups)
        raw = netrpc_scan(groups, count, r->sequence);
#endif
    if (!raw) {
        LOSS(id_unknown);
        return 0;
    }
    r->id_length = go_word(raw + 8);
    if (!go_string_at(r->id, sizeof(r->id), raw))
        r->id_length = 0;
    return 0;
}

PROBE(netrpc_find_id)
{
    return netrpc_identify(netrpc_server_current(hit), go_word(ARG(netrpc_call, codec_data) + JSON_SERVER_PENDING));
}

PROBE(netrpc_find_codec_id)
{
#ifdef JSON_SERVER_SEQ
    u64 codec = ARG(netrpc_json_request, c);

    return netrpc_identify(netrpc_server_find_keyed(hit, codec, go_word(codec + JSON_SERVER_SEQ) & 0x7fffffff),
                           go_word(codec + JSON_SERVER_PENDING));
#else
    return 0;
#endif
}
#endif

/* -- servers that are not net/rpc's own and use its JSON codec ---------------------------------------------------- */

/* func (c *serverCodec) ReadRequestBody(x any): the request's header has been read */
PROBE(netrpc_json_request)
{
#if defined(JSON_SERVER_SEQ) && defined(JSON_SERVER_METHOD) && defined(JSON_SERVER_PENDING)
    u64 codec = ARG(netrpc_json_request, c), sequence = go_word(codec + JSON_SERVER_SEQ);
    struct netrpc_server *r;

    if (goinst_operation_around(hit))
        return 0; /* as in netrpc_call */
    r = netrpc_server_begin_keyed(hit, codec, sequence & 0x7fffffff);
    if (!r)
        return 0;
    r->codec = NETRPC_JSON;
    r->sequence = sequence;
    r->method_length = go_word(codec + JSON_SERVER_METHOD + 8);
    r->method_copied = go_string_at(r->method, sizeof(r->method), codec + JSON_SERVER_METHOD);
    TAIL_CALL(netrpc_find_codec_id);
#endif
    return 0;
}

/* func (c *serverCodec) WriteResponse(r *rpc.Response, x any) error */
PROBE(netrpc_json_response)
{
#if defined(JSON_SERVER_SEQ) && defined(JSON_SERVER_METHOD) && defined(JSON_SERVER_PENDING)
    u64 codec = ARG(netrpc_json_response, c), response = ARG(netrpc_json_response, r);
    u32 sequence = go_word(response + RESPONSE_SEQ) & 0x7fffffff;
    struct netrpc_server *r = netrpc_server_find_keyed(hit, codec, sequence);

    if (!r) {
        LOSS(began_unseen);
        return 0;
    }
    r->error_length = go_word(response + RESPONSE_ERROR + 8);
    if (r->error_length)
        r->flags |= NETRPC_FAILED;
    r->error_copied = go_string_at(r->error, sizeof(r->error), response + RESPONSE_ERROR);
    netrpc_server_end(r, sizeof(r->error));
    netrpc_server_forget_keyed(hit, codec, sequence);
#endif
    return 0;
}

/* func (server *Server) sendResponse(sending, req, reply, codec, errmsg) */
PROBE(netrpc_respond)
{
    u64 request = ARG(netrpc_respond, req);
    u64 error = ARG(netrpc_respond, errmsg_ptr), length = ARG(netrpc_respond, errmsg_len);
    u8 codec = netrpc_codec(ARG(netrpc_respond, codec_type));
    struct netrpc_server *r = netrpc_server_current(hit);

    /* what may still be open of a call whose method panicked or ran into runtime.Goexit is another one */
    if (!r || r->sequence != go_word(request + REQUEST_SEQ)) {
        if (!length || (codec == NETRPC_JSON && goinst_operation_around(hit)))
            return 0;
        r = netrpc_server_begin(hit);
        if (!r)
            return 0;
        netrpc_fill(r, codec, request);
        r->flags = NETRPC_UNKNOWN_METHOD;
    }
    if (length)
        r->flags |= NETRPC_FAILED;
    r->error_length = length;
    r->error_copied = go_copy(r->error, sizeof(r->error), error, length);
    netrpc_server_end(r, sizeof(r->error));
    return 0;
}

static __always_inline int netrpc_send(struct goinst_hit *hit, u8 codec, u64 object, u64 request)
{
    u64 sequence = go_word(request + REQUEST_SEQ);
    struct netrpc_client *r = netrpc_client_begin_keyed(hit, object, sequence & 0x7fffffff);

    if (!r)
        return 0;
    r->codec = codec;
    r->sequence = sequence;
    r->method_length = go_word(request + REQUEST_METHOD + 8);
    r->method_copied = go_string_at(r->method, sizeof(r->method), request + REQUEST_METHOD);
    return 0;
}

static __always_inline void netrpc_receive(struct goinst_hit *hit, u64 object, u64 sequence, u64 error_at, int failed)
{
    struct netrpc_client *r = netrpc_client_find_keyed(hit, object, sequence & 0x7fffffff);

    if (!r) {
        LOSS(began_unseen);
        return;
    }
    if (failed)
        r->flags |= NETRPC_FAILED;
    if (error_at) {
        r->error_length = go_word(error_at + 8);
        r->error_copied = go_string_at(r->error, sizeof(r->error), error_at);
    }
    netrpc_client_end(r, sizeof(r->error));
    netrpc_client_forget_keyed(hit, object, sequence & 0x7fffffff);
}

/* func (c *gobClientCodec) WriteRequest(r *Request, body any) */
PROBE(netrpc_gob_send)
{
    return netrpc_send(hit, NETRPC_GOB, ARG(netrpc_gob_send, c), ARG(netrpc_gob_send, r));
}

/* func (c *gobClientCodec) ReadResponseHeader(r *Response): blocks; r is one object for the client's life */
PROBE(netrpc_gob_header)
{
    struct netrpc_goroutine key = {.g = hit->g, .tgid = hit->tgid};
    u64 header = ARG(netrpc_gob_header, r);

    netrpc_headers.update(&key, &header);
    return 0;
}

/* func (c *gobClientCodec) ReadResponseBody(body any) */
PROBE(netrpc_gob_receive)
{
    struct netrpc_goroutine key = {.g = hit->g, .tgid = hit->tgid};
    u64 *found = netrpc_headers.lookup(&key), header;

    if (!found) {
        LOSS(began_unseen);
        return 0;
    }
    header = *found;
    netrpc_receive(hit, ARG(netrpc_gob_receive, c), go_word(header + RESPONSE_SEQ), header + RESPONSE_ERROR,
                   go_word(header + RESPONSE_ERROR + 8) != 0);
    return 0;
}

/* func (c *clientCodec) WriteRequest(r *rpc.Request, param any) */
PROBE(netrpc_json_send)
{
    return netrpc_send(hit, NETRPC_JSON, ARG(netrpc_json_send, c), ARG(netrpc_json_send, r));
}

/* func (c *clientCodec) ReadResponseBody(x any) */
PROBE(netrpc_json_receive)
{
#ifdef JSON_CLIENT_RESPONSE_ID
    u64 codec = ARG(netrpc_json_receive, c);
    u64 type = go_word(codec + JSON_CLIENT_RESPONSE_ERROR), text = 0;

    /* what is in an interface{} that holds a string: a pointer to it, and its type, not an itab */
    if (T_STRING && go_type_hash(type) == T_STRING)
        text = go_word(codec + JSON_CLIENT_RESPONSE_ERROR + 8);
    netrpc_receive(hit, codec, go_word(codec + JSON_CLIENT_RESPONSE_ID), text, type != 0);
#endif
    return 0;
}
