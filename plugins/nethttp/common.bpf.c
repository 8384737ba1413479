/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What the parts of nethttp share: flags of a request, and what is read of connections and of TLS. */

#define NETHTTP_TLS 1
#define NETHTTP_HIJACKED 2
#define NETHTTP_UNFINISHED 4
#define NETHTTP_BLOCK_CUT 8
#define NETHTTP_XNET 32 /* a stream of golang.org/x/net/http2 */
#define NETHTTP_LINE_SENT 16 /* the block lacks the request line; a nethttp_line has it */

/* The server's port, from the connection's own address: net.TCPConn -> netFD.laddr -> TCPAddr.Port */
static __always_inline u16 nethttp_local_port(u64 type, u64 data)
{
    /* what x/net's h2c handler puts around a connection: struct { net.Conn; *bufio.Reader } */
    if (T_H2C_CONN && go_type_hash(type) == T_H2C_CONN) {
        type = go_word(data);
        data = go_word(data + 8);
    }
#ifdef TLS_CONN_CONN
    if (T_TLS_CONN && go_type_hash(type) == T_TLS_CONN) {
        type = go_word(data + TLS_CONN_CONN);
        data = go_word(data + TLS_CONN_CONN + 8);
    }
#endif
#if defined(NETFD_LADDR) && defined(TCPADDR_PORT)
    /* TCPConn{conn{fd *netFD}} */
    if (T_TCP_CONN && go_type_hash(type) == T_TCP_CONN)
        return go_word(go_word(go_word(data) + NETFD_LADDR + 8) + TCPADDR_PORT);
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
#else
#define nethttp_pattern(request, to) 0
#endif
