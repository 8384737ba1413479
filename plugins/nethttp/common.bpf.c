/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What the parts of nethttp share: what is read of connections and of TLS. The numbers in records, such as NETHTTP_TLS,
 * are those of records.py. */

/* In a function that the handler's goroutine deferred: how it came to run. While it runs because of a panic or of
 * runtime.Goexit, g._panic is set (runtime/panic.go, runtime2.go); `otherwise` when it is not. */
static __always_inline u8 nethttp_ending(const struct goinst_hit *hit, u8 otherwise)
{
#if defined(G_PANIC) && defined(PANIC_ARG) && defined(PANIC_GOEXIT)
    u64 panic = go_word(hit->g + G_PANIC), text;

    if (!panic)
        return otherwise;
    if (go_byte(panic + PANIC_GOEXIT))
        return NETHTTP_EXITED;
    text = go_word(panic + PANIC_ARG + 8); /* http.ErrAbortHandler = errors.New("net/http: abort Handler") */
    if (T_ERROR_STRING && go_type_hash(go_word(panic + PANIC_ARG)) == T_ERROR_STRING && go_word(text + 8) == 23) {
        text = go_word(text);
        if (go_word(text) == 0x707474682f74656eULL && go_word(text + 8) == 0x2074726f6261203aULL &&
            go_word(text + 15) == 0x72656c646e614820ULL)
            return NETHTTP_ABORTED;
    }
    return NETHTTP_PANICKED;
#else
    return otherwise;
#endif
}

#define NETHTTP_STRUCT 25 /* internal/abi/type.go: Kind */
#define NETHTTP_POINTER 22
#define NETHTTP_KIND_MASK 31
#define NETHTTP_WRAPPED 4 /* connections around each other */
#define NETHTTP_FIELDS 6  /* that are looked at */

struct nethttp_interface {
    u64 type;
    u64 data;
};

/* The net.Conn that a struct is put around: TLS, limits, PROXY headers, protocols told apart by their first bytes. Its type
 * says where: the first field that is a net.Conn, embedded or not (internal/abi: Type has 48 bytes, then PtrType has Elem,
 * StructType PkgPath and Fields, each of them Name, Typ, Offset; runtime.itab has its type behind a word). */
static __always_inline int nethttp_unwrap(struct nethttp_interface *conn)
{
    u64 type = go_word(conn->type + 8), fields, count, offset, found = ~0ULL;
    u8 kind = go_byte(type + 23) & NETHTTP_KIND_MASK;

    if (kind == NETHTTP_POINTER) {
        type = go_word(type + 48);
        kind = go_byte(type + 23) & NETHTTP_KIND_MASK;
    }
    if (kind != NETHTTP_STRUCT)
        return 0;
    fields = go_word(type + 56);
    count = go_word(type + 64);
#pragma clang loop unroll(disable)
    for (u32 i = 0; i < NETHTTP_FIELDS; i++) {
        if (i >= count || found != ~0ULL)
            break;
        offset = go_word(fields + i * 24 + 16);
#ifndef FIELD_OFFSET_WHOLE /* until Go 1.18 there is a bit below that says whether it is embedded */
        offset >>= 1;
#endif
        if (go_u32(go_word(fields + i * 24 + 8) + 16) == T_NET_CONN)
            found = offset;
    }
    if (found == ~0ULL)
        return 0;
    type = conn->data + found;
    conn->type = go_word(type);
    conn->data = go_word(type + 8);
    return conn->type != 0;
}

/* The server's port, from the connection's own address: net.TCPConn -> netFD.laddr -> TCPAddr.Port */
static __always_inline u16 nethttp_local_port(u64 type, u64 data)
{
#if defined(NETFD_LADDR) && defined(TCPADDR_PORT)
    struct nethttp_interface conn = {.type = type, .data = data};

#pragma clang loop unroll(disable)
    for (u32 i = 0; T_TCP_CONN && i <= NETHTTP_WRAPPED; i++) {
        if (go_type_hash(conn.type) == T_TCP_CONN) /* TCPConn{conn{fd *netFD}} */
            return go_word(go_word(go_word(conn.data) + NETFD_LADDR + 8) + TCPADDR_PORT);
        if (!T_NET_CONN || i == NETHTTP_WRAPPED || !nethttp_unwrap(&conn))
            break;
    }
#endif
    return 0;
}

/* What a crypto/tls.ConnectionState says, as a fact of the operation: sent only where there is TLS. */
static __always_inline void nethttp_secure(struct goinst_operation *op, struct goinst_hit *hit, u64 state)
{
#if defined(TLS_VERSION) && defined(TLS_CIPHER) && defined(TLS_SERVER_NAME)
    struct nethttp_tls *r = nethttp_tls_reserve(op, hit);

    if (!r)
        return;
    r->version = go_word(state + TLS_VERSION);
    r->cipher = go_word(state + TLS_CIPHER);
    r->name_length = go_string_at(r->name, sizeof(r->name), state + TLS_SERVER_NAME);
    nethttp_tls_submit(r);
#endif
}

/* The ServeMux pattern that a request matched (Go 1.23 and later). */
#ifdef REQUEST_PATTERN
#define nethttp_pattern(request, to)                                                                                 \
    ({                                                                                                               \
        u64 nethttp_pattern_length = (request) ? go_word((request) + REQUEST_PATTERN + 8) : 0;                       \
        /* what cannot be read must not leave an earlier request's pattern */                                        \
        if (nethttp_pattern_length &&                                                                                \
            !go_copy((to), sizeof(to), go_word((request) + REQUEST_PATTERN), nethttp_pattern_length))                \
            nethttp_pattern_length = 0;                                                                              \
        nethttp_pattern_length;                                                                                      \
    })
/* The same for an operation: of the request that net/http made, else of the copy that middleware handed to the mux. The
 * copy may be garbage by now, so its target must be the very string of the request. Without a copy, where none was
 * looked for, the probe that looks for them is asked for; not for answers that a mux gives without a pattern. */
#define nethttp_route_pattern(r)                                                                                     \
    do {                                                                                                             \
        (r)->pattern_length = nethttp_pattern((r)->request, (r)->pattern);                                           \
        if (!(r)->pattern_length && (r)->copy && (r)->target && go_word((r)->copy + REQUEST_URI) == (r)->target)      \
            (r)->pattern_length = nethttp_pattern((r)->copy, (r)->pattern);                                          \
        if (!(r)->pattern_length && !(r)->copy && (r)->status < 400)                                                 \
            SIGNAL(pattern_elsewhere);                                                                               \
    } while (0)
#else
#define nethttp_route_pattern(r) (r)->pattern_length = 0
#endif
