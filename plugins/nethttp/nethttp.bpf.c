/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* net/http server, HTTP/1: two hits a request.
 *
 * When the handler starts, the connection's bufio.Reader still holds the request's header block as it came over the
 * wire (net/http/server.go, readRequest), so that one copy gives the request line and every header. When the handler
 * is done, net/http.response knows the rest. What belongs to the connection is read once for each connection: the
 * operation's entry keeps it from one request of a goroutine to the next.
 */

#define NETHTTP_TLS 1
#define NETHTTP_HIJACKED 2
#define NETHTTP_UNFINISHED 4
#define NETHTTP_BLOCK_CUT 8

/* The server's port, from the connection's own address: net.TCPConn -> netFD.laddr -> TCPAddr.Port */
static __always_inline void nethttp_local_port(struct nethttp_request *r, u64 type, u64 data)
{
    u64 fd, address;

    r->local_port = 0;
#ifdef TLS_CONN_CONN
    if (T_TLS_CONN && go_type_hash(type) == T_TLS_CONN) {
        type = go_word(data + TLS_CONN_CONN);
        data = go_word(data + TLS_CONN_CONN + 8);
    }
#endif
#if defined(NETFD_LADDR) && defined(TCPADDR_PORT)
    if (!T_TCP_CONN || go_type_hash(type) != T_TCP_CONN)
        return;
    fd = go_word(data); /* TCPConn{conn{fd *netFD}} */
    address = go_word(fd + NETFD_LADDR + 8);
    r->local_port = go_word(address + TCPADDR_PORT);
#endif
}

static __always_inline void nethttp_connection(struct nethttp_request *r, u64 conn)
{
    r->conn = conn;
    r->peer_length = go_string_at(r->peer, sizeof(r->peer), conn + CONN_REMOTE_ADDR);
    nethttp_local_port(r, go_word(conn + CONN_RWC), go_word(conn + CONN_RWC + 8));
    r->secure = go_word(conn + CONN_TLS_STATE) != 0;
}

/* func (sh serverHandler) ServeHTTP(rw ResponseWriter, req *Request) */
PROBE(nethttp_serve)
{
    u64 response = ARG(nethttp_serve, rw_data), request = ARG(nethttp_serve, req);
    u64 conn, reader, used;
    struct nethttp_request *r;

    if (go_type_hash(ARG(nethttp_serve, rw_type)) != T_RESPONSE) {
        LOSS(not_http1);
        return 0;
    }
    r = nethttp_request_begin(hit);
    if (!r)
        return 0;
    conn = go_word(response + RESPONSE_CONN);
    if (!nethttp_request_operation(r)->reused || r->conn != conn)
        nethttp_connection(r, conn);
    r->response = response;
    r->request = request;
    r->flags = r->secure ? NETHTTP_TLS : 0;
    r->content_length = go_word(request + REQUEST_CONTENT_LENGTH);
    r->method_length = go_word(request + REQUEST_METHOD + 8);
    r->uri_length = go_word(request + REQUEST_URI + 8);
    r->status = 0;
    r->written = 0;
    r->pattern_length = 0;

    /* buf[:r] ends with the header block; it starts there too, unless requests are pipelined */
    reader = go_word(conn + CONN_BUFR);
    used = go_word(reader + READER_R);
    r->used = used;
    r->block_length = go_copy(r->block, sizeof(r->block), go_word(reader + READER_BUF), used);
    if (used > sizeof(r->block))
        r->flags |= NETHTTP_BLOCK_CUT;
    if (!r->block_length)
        LOSS(header_unreadable);
    return 0;
}

/* func (w *response) finishRequest() */
PROBE(nethttp_finish)
{
    u64 response = ARG(nethttp_finish, w);
    struct nethttp_request *r = nethttp_request_current(hit);

    if (!r || r->response != response) {
        LOSS(began_unseen);
        return 0;
    }
    r->status = go_word(response + RESPONSE_STATUS);
    r->written = go_word(response + RESPONSE_WRITTEN);
#ifdef REQUEST_PATTERN
    r->pattern_length = go_word(r->request + REQUEST_PATTERN + 8);
    if (r->pattern_length)
        go_copy(r->pattern, sizeof(r->pattern), go_word(r->request + REQUEST_PATTERN), r->pattern_length);
#endif
    nethttp_request_end(r, r->block_length);
    return 0;
}

/* func (w *response) Hijack() (rwc net.Conn, buf *bufio.ReadWriter, err error) */
PROBE(nethttp_hijack)
{
    struct nethttp_request *r = nethttp_request_current(hit);

    if (r)
        r->flags |= NETHTTP_HIJACKED;
    return 0;
}

/* The function that (*conn).serve defers: once a connection, however it ends. A request that is still open then was
 * hijacked, or its handler panicked or called runtime.Goexit. */
PROBE(nethttp_leave)
{
    struct nethttp_request *r = nethttp_request_current(hit);

    if (!r)
        return 0;
    r->status = go_word(r->response + RESPONSE_STATUS);
    r->written = go_word(r->response + RESPONSE_WRITTEN);
    r->flags |= NETHTTP_UNFINISHED;
    nethttp_request_end(r, r->block_length);
    return 0;
}
