/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* net/http's client: (*Transport).roundTrip, HTTP/1 and HTTP/2, and the transport of golang.org/x/net/http2 on its
 * own. One span for each round trip, up to the response's header; three hits: where it begins, where it has got a
 * connection, and its RET: only there are the response and the error in reach, for every way that a round trip ends.
 */

#if defined(URL_PATH) && defined(RESPONSE_CODE)
#define NETHTTP_CLIENTS 1

static __always_inline void nethttp_client_open(struct goinst_hit *hit, u64 request)
{
    struct nethttp_client *r = nethttp_client_current(hit);
    u64 url = go_word(request + REQUEST_URL);

    if (r && nethttp_client_operation(r) == goinst_operation_around(hit)) {
        r->inner++; /* one transport calls another */
        return;
    }
    hit->context = go_word(request + REQUEST_CONTEXT + 8);
    r = nethttp_client_begin(hit);
    if (!r)
        return;
    r->inner = 0;
    r->attempts = 0;
    r->context = 0;
    r->header = go_word(request + REQUEST_HEADER);
    r->status = 0;
    r->major = 0;
    r->minor = 0;
    r->response_length = -1;
    r->peer_length = 0;
    r->peer_port = 0;
    r->content_type_length = 0;
    r->flags = go_word(url + URL_USER) ? NETHTTP_USER : 0;
    r->content_length = go_word(request + REQUEST_CONTENT_LENGTH);
    /* net/http/request.go, outgoingLength: 0 says that it is not known, unless there is no body */
    if (r->content_length == 0) {
        u64 body = go_word(request + REQUEST_BODY);

        if (body && !(T_NO_BODY && go_type_hash(body) == T_NO_BODY))
            r->content_length = -1;
    }
    r->method_length = go_string_at(r->method, sizeof(r->method), request + REQUEST_METHOD);
    r->scheme_length = go_string_at(r->scheme, sizeof(r->scheme), url + URL_SCHEME);
    r->host_length = go_string_at(r->host, sizeof(r->host), url + URL_HOST);
    r->query_length = go_word(url + URL_RAW_QUERY + 8);
    if (r->query_length)
        go_string_at(r->query, sizeof(r->query), url + URL_RAW_QUERY);
    r->path_length = go_word(url + URL_RAW_PATH + 8);
    if (r->path_length) {
        r->flags |= NETHTTP_ESCAPED;
        r->path_copied = go_string_at(r->path, sizeof(r->path), url + URL_RAW_PATH);
    } else {
        r->path_length = go_word(url + URL_PATH + 8);
        r->path_copied = go_string_at(r->path, sizeof(r->path), url + URL_PATH);
    }
    nethttp_capture(nethttp_client_operation(r), hit, go_word(request + REQUEST_HEADER), 0);
}

/* The address at the other end of a net.Conn that is TCP, perhaps under TLS. */
static __always_inline void nethttp_client_connected(struct goinst_hit *hit, u64 type, u64 data, int reused)
{
    struct nethttp_client *r = nethttp_client_current(hit);

    if (!r)
        return;
    r->attempts++;
    r->context = 0;
    r->flags &= ~NETHTTP_REUSED;
    r->flags |= reused ? NETHTTP_CONNECTED | NETHTTP_REUSED : NETHTTP_CONNECTED;
#ifdef TLS_CONN_CONN
    if (T_TLS_CONN && go_type_hash(type) == T_TLS_CONN) {
        type = go_word(data + TLS_CONN_CONN);
        data = go_word(data + TLS_CONN_CONN + 8);
    }
#endif
#if defined(NETFD_RADDR) && defined(TCPADDR_PORT) && defined(TCPADDR_IP)
    if (T_TCP_CONN && go_type_hash(type) == T_TCP_CONN) {
        u64 address = go_word(go_word(data) + NETFD_RADDR + 8);

        r->peer_port = go_word(address + TCPADDR_PORT);
        r->peer_length = go_string_at(r->peer, sizeof(r->peer), address + TCPADDR_IP);
    }
#endif
}

#define NETHTTP_ERRORS 6

/* Whether a type of error is one of those that are told apart; no other type has one of these hashes. */
static __always_inline int nethttp_error_known(u32 hash)
{
    return hash && (hash == T_OP_ERROR || hash == T_SYSCALL_ERROR || hash == T_READ_ERROR || hash == T_NOTHING_WRITTEN ||
                    hash == T_WRAP_ERROR || hash == T_ERRNO || hash == T_DNS_ERROR || hash == T_DEADLINE ||
                    hash == T_POLL_DEADLINE || hash == T_TLS_TIMEOUT || hash == T_NET_TIMEOUT ||
                    hash == T_HTTP_TIMEOUT || hash == T_CERTIFICATE || hash == T_AUTHORITY || hash == T_HOSTNAME ||
                    hash == T_INVALID || hash == T_RECORD_HEADER || hash == T_ALERT || hash == T_NET_CANCELED ||
                    hash == T_ERROR_STRING);
}

/* Where an error of a type that is not known keeps one that is: in front (it embeds an error), behind one string, or
 * behind two. 0: nowhere. */
static __always_inline u64 nethttp_error_inside(u64 data)
{
    if (nethttp_error_known(go_type_hash(go_word(data))))
        return data;
    if (nethttp_error_known(go_type_hash(go_word(data + 16))))
        return data + 16;
    if (nethttp_error_known(go_type_hash(go_word(data + 32))))
        return data + 32;
    return 0;
}

/* Which kind of error it is, down the chain of what it wraps. */
static __always_inline void nethttp_client_failed(struct goinst_operation *op, struct goinst_hit *hit, u64 type,
                                                  u64 data)
{
    struct nethttp_error *r = nethttp_error_reserve(op, hit);
    u32 hash;

    if (!r)
        return;
    r->errno = 0;
    r->kind = NETHTTP_OTHER_ERROR;
    r->text_length = 0;
    r->op_length = 0;
    for (u32 i = 0; i < NETHTTP_ERRORS; i++) {
        hash = go_type_hash(type);
        if (!hash)
            break;
#if defined(OP_ERROR_OP) && defined(OP_ERROR_ERR)
        if (hash == T_OP_ERROR) {
            r->op_length = go_string_at(r->op, sizeof(r->op), data + OP_ERROR_OP);
            type = go_word(data + OP_ERROR_ERR);
            data = go_word(data + OP_ERROR_ERR + 8);
            continue;
        }
#endif
#ifdef SYSCALL_ERROR_ERR
        if (hash == T_SYSCALL_ERROR) {
            type = go_word(data + SYSCALL_ERROR_ERR);
            data = go_word(data + SYSCALL_ERROR_ERR + 8);
            continue;
        }
#endif
        if (hash == T_READ_ERROR || hash == T_NOTHING_WRITTEN) { /* struct{ error } */
            type = go_word(data);
            data = go_word(data + 8);
            continue;
        }
        if (hash == T_WRAP_ERROR) { /* fmt.wrapError{msg string, err error} */
            type = go_word(data + 16);
            data = go_word(data + 24);
            continue;
        }
        if (hash == T_ERRNO) {
            r->kind = NETHTTP_ERRNO_ERROR;
            r->errno = go_word(data);
        } else if (hash == T_ERROR_STRING) {
            r->kind = NETHTTP_TEXT_ERROR;
            r->text_length = go_string_at(r->text, sizeof(r->text), data);
        } else if (hash == T_DNS_ERROR) { /* net.DNSError: Err is its first string; */
            r->kind = NETHTTP_DNS_ERROR;
#ifdef DNS_ERROR_ERR
            r->text_length = go_string_at(r->text, sizeof(r->text), data + DNS_ERROR_ERR);
#endif
        } else if (hash == T_DEADLINE || hash == T_POLL_DEADLINE || hash == T_TLS_TIMEOUT || hash == T_NET_TIMEOUT ||
                   hash == T_HTTP_TIMEOUT || hash == T_HTTP_ERROR || hash == T_H2_ERROR) {
            r->kind = NETHTTP_TIMEOUT_ERROR;
        } else if (hash == T_CERTIFICATE || hash == T_AUTHORITY || hash == T_HOSTNAME || hash == T_INVALID ||
                   hash == T_RECORD_HEADER || hash == T_ALERT) {
            r->kind = NETHTTP_TLS_ERROR;
        } else if (hash == T_NET_CANCELED) {
            r->kind = NETHTTP_CANCELED_ERROR;
        } else {
            data = nethttp_error_inside(data);
            if (data) {
                type = go_word(data);
                data = go_word(data + 8);
                continue;
            }
        }
        break;
    }
    nethttp_error_submit(r);
}

static __always_inline void nethttp_client_close(struct goinst_hit *hit, u64 response, u64 error, u64 value)
{
    struct nethttp_client *r = nethttp_client_current(hit);
    u64 tls;

    if (!r) {
        LOSS(began_unseen);
        return;
    }
    if (r->inner) {
        r->inner--;
        return;
    }
    if (response && !error) {
        r->status = go_word(response + RESPONSE_CODE);
        r->major = go_word(response + RESPONSE_MAJOR);
        r->minor = go_word(response + RESPONSE_MINOR);
        r->response_length = go_word(response + RESPONSE_LENGTH);
        r->content_type_length = nethttp_header(go_word(response + RESPONSE_HEADERS), 12, NETHTTP_CONTENT_TYPE,
                                                r->content_type, sizeof(r->content_type));
        nethttp_capture(nethttp_client_operation(r), hit, go_word(response + RESPONSE_HEADERS), 1);
        tls = go_word(response + RESPONSE_TLS);
        if (tls)
            nethttp_secure(nethttp_client_operation(r), hit, tls);
    } else {
        nethttp_client_failed(nethttp_client_operation(r), hit, error, value);
    }
    nethttp_client_end(r, r->path_copied);
}
#endif

/* In a binary without the function a program is not attached, and what it reads is not defined. */

/* func (t *Transport) roundTrip(req *Request) (*Response, error) */
PROBE(nethttp_call)
{
#if defined(NETHTTP_CLIENTS) && defined(nethttp_call__req)
    nethttp_client_open(hit, ARG(nethttp_call, req));
#endif
    return 0;
}

PROBE(nethttp_call_done)
{
#if defined(NETHTTP_CLIENTS) && defined(nethttp_call_done__result_resp)
    nethttp_client_close(hit, RESULT(nethttp_call_done, resp), RESULT(nethttp_call_done, err_type),
                         RESULT(nethttp_call_done, err_data));
#endif
    return 0;
}

/* func (t *http2.Transport) RoundTripOpt(req *http.Request, opt RoundTripOpt) (*http.Response, error) */
PROBE(nethttp_xnet_call)
{
#if defined(NETHTTP_CLIENTS) && defined(nethttp_xnet_call__req)
    nethttp_client_open(hit, ARG(nethttp_xnet_call, req));
#endif
    return 0;
}

PROBE(nethttp_xnet_call_done)
{
#if defined(NETHTTP_CLIENTS) && defined(nethttp_xnet_call_done__result_resp)
    nethttp_client_close(hit, RESULT(nethttp_xnet_call_done, resp), RESULT(nethttp_xnet_call_done, err_type),
                         RESULT(nethttp_xnet_call_done, err_data));
#endif
    return 0;
}

/* func (pc *persistConn) roundTrip(req *transportRequest) (*Response, error): HTTP/1 has got its connection */
PROBE(nethttp_call_conn)
{
#if defined(NETHTTP_CLIENTS) && defined(PCONN_CONN) && defined(PCONN_REUSED) && defined(nethttp_call_conn__pc)
    u64 conn = ARG(nethttp_call_conn, pc);

    nethttp_client_connected(hit, go_word(conn + PCONN_CONN), go_word(conn + PCONN_CONN + 8),
                             go_byte(conn + PCONN_REUSED));
#ifdef NETHTTP_PROPAGATE
    /* the request is the first thing in a transportRequest */
    nethttp_await_header(hit, go_word(conn + PCONN_WRITER), go_word(go_word(ARG(nethttp_call_conn, req)) + REQUEST_HEADER));
#endif
#endif
    return 0;
}

/* func (cc *ClientConn) roundTrip(req, ...): HTTP/2 has; a connection's first stream is number 1 */
PROBE(nethttp_call_h2)
{
#if defined(NETHTTP_CLIENTS) && defined(H2_CLIENT_CONN) && defined(H2_CLIENT_NEXT) && defined(nethttp_call_h2__cc)
    u64 conn = ARG(nethttp_call_h2, cc);

    nethttp_client_connected(hit, go_word(conn + H2_CLIENT_CONN), go_word(conn + H2_CLIENT_CONN + 8),
                             go_u32(conn + H2_CLIENT_NEXT) > 1);
#endif
    return 0;
}

PROBE(nethttp_call_xnet)
{
#if defined(NETHTTP_CLIENTS) && defined(XNET_CLIENT_CONN) && defined(XNET_CLIENT_NEXT) && defined(nethttp_call_xnet__cc)
    u64 conn = ARG(nethttp_call_xnet, cc);

    nethttp_client_connected(hit, go_word(conn + XNET_CLIENT_CONN), go_word(conn + XNET_CLIENT_CONN + 8),
                             go_u32(conn + XNET_CLIENT_NEXT) > 1);
#endif
    return 0;
}
