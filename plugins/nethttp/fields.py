"""What the C text reads of net/http's types and of those of HTTP/2."""

from __future__ import annotations

from goinst import Field, Type
from goinst.toolkit.http import http_fields

__all__ = ["FIELDS", "SERVER", "TYPES"]

SERVER = "server"  # a program that only sends requests has none of it

_RESPONSE = "net/http.response"
_REQUEST = "net/http.Request"
_CONN = "net/http.conn"
_TLS_STATE = "crypto/tls.ConnectionState"
_ANSWER = "net/http.Response"
_URL = "net/url.URL"
_PCONN = "net/http.persistConn"
_SERVER_REQUEST = "net/http/internal/http2.ServerRequest"


def _h2(prefix: str, *owners: tuple[str, str]) -> dict[str, Field]:
    """The fields of one implementation of HTTP/2. ``owners``: (package, prefix of its type names), the first that the
    binary has counts."""

    def field(kind: str, path: str) -> Field:
        names = [f"{package}.{lead}{kind}" for package, lead in owners]
        return Field(names[0], path, optional=True, alternatives=tuple((name, path) for name in names[1:]))

    return {
        f"{prefix}_STATE": field("responseWriter", "rws"),
        f"{prefix}_STREAM": field("responseWriterState", "stream"),
        f"{prefix}_CONN": field("responseWriterState", "conn"),
        f"{prefix}_RESPONSE": field("responseWriterState", "handlerHeader"),
        f"{prefix}_STATUS": field("responseWriterState", "status"),
        f"{prefix}_WRITTEN": field("responseWriterState", "wroteBytes"),
        f"{prefix}_STREAM_ID": field("stream", "id"),
        f"{prefix}_STREAM_STATE": field("stream", "state"),
        f"{prefix}_STREAM_RESET": field("stream", "resetQueued"),
        f"{prefix}_NET_CONN": field("serverConn", "conn"),
        f"{prefix}_CLIENT_CONN": field("ClientConn", "tconn"),
        f"{prefix}_CLIENT_NEXT": field("ClientConn", "nextStreamID"),
        f"{prefix}_CLIENT_WRITER": field("ClientConn", "bw"),
    }


FIELDS = {
    **http_fields(
        "RESPONSE_CONN",
        "RESPONSE_STATUS",
        "RESPONSE_WRITTEN",
        "RESPONSE_HEADER",
        "RESPONSE_REQ",
        "RESPONSE_BODY",
        "CONN_RWC",
        "CONN_REMOTE_ADDR",
        "CONN_TLS_STATE",
        "CONN_BUFR",
        "CONN_CURRENT",
        "CONN_HIJACKED",
        "READER_CONN",
        "READER_BUF",
        "READER_R",
        "READER_W",
        side=SERVER,
    ),
    **http_fields(
        "REQUEST_METHOD",
        "REQUEST_URI",
        "REQUEST_HOST",
        "REQUEST_PROTO_MINOR",
        "REQUEST_HEADER",
        "REQUEST_CONTEXT",
        "REQUEST_CONTENT_LENGTH",
        "REQUEST_REMOTE_ADDR",
        "REQUEST_TLS",
        "REQUEST_URL",
        "REQUEST_BODY",
    ),
    **http_fields("URL_RAW_QUERY", "WRITER_BUF", "WRITER_N", optional=True),
    "BODY_EOF": Field("net/http.body", "sawEOF", optional=True),
    # whether the client left: Go 1.27 has the second
    "RESPONSE_LEFT": Field(
        _RESPONSE, "didCloseNotify", optional=True, alternatives=((_RESPONSE, "closeNotifyTriggered"),)
    ),
    "REQUEST_PATTERN": Field(_REQUEST, "Pattern", optional=True),  # Go 1.23
    "CONN_ERROR": Field(_CONN, "werr", optional=True),
    "NETFD_LADDR": Field("net.netFD", "laddr", optional=True),
    "NETFD_RADDR": Field("net.netFD", "raddr", optional=True),
    "TCPADDR_IP": Field("net.TCPAddr", "IP", optional=True),
    "TCPADDR_PORT": Field("net.TCPAddr", "Port", optional=True),
    # what Go 1.19 changed, as type descriptors did; these are not always in a binary themselves
    "FIELD_OFFSET_WHOLE": Field(
        _CONN, "curState.v", optional=True, alternatives=(("internal/abi.StructField", "Offset"),)
    ),
    "TLS_CONN_CONN": Field("crypto/tls.Conn", "conn", optional=True),
    "TLS_VERSION": Field(_TLS_STATE, "Version", optional=True),
    "TLS_CIPHER": Field(_TLS_STATE, "CipherSuite", optional=True),
    "TLS_SERVER_NAME": Field(_TLS_STATE, "ServerName", optional=True),
    "URL_SCHEME": Field(_URL, "Scheme", optional=True),
    "URL_USER": Field(_URL, "User", optional=True),
    "URL_HOST": Field(_URL, "Host", optional=True),
    "URL_PATH": Field(_URL, "Path", optional=True),
    "URL_RAW_PATH": Field(_URL, "RawPath", optional=True),
    "RESPONSE_CODE": Field(_ANSWER, "StatusCode", optional=True),
    "RESPONSE_MAJOR": Field(_ANSWER, "ProtoMajor", optional=True),
    "RESPONSE_MINOR": Field(_ANSWER, "ProtoMinor", optional=True),
    "RESPONSE_HEADERS": Field(_ANSWER, "Header", optional=True),
    "RESPONSE_LENGTH": Field(_ANSWER, "ContentLength", optional=True),
    "RESPONSE_TLS": Field(_ANSWER, "TLS", optional=True),
    "PCONN_CONN": Field(_PCONN, "conn", optional=True),
    "PCONN_WRITER": Field(_PCONN, "bw", optional=True),
    "PCONN_REUSED": Field(_PCONN, "reused", optional=True),
    "OP_ERROR_OP": Field("net.OpError", "Op", optional=True),
    "OP_ERROR_ERR": Field("net.OpError", "Err", optional=True),
    "SYSCALL_ERROR_ERR": Field("os.SyscallError", "Err", optional=True),
    "DNS_ERROR_ERR": Field("net.DNSError", "Err", optional=True),
    "GIN_PATH": Field("github.com/gin-gonic/gin.Context", "fullPath", optional=True),
    "ECHO_PATH": Field("github.com/labstack/echo/v4.context", "path", optional=True),
    "ECHO5_PATH": Field("github.com/labstack/echo/v5.Context", "path", optional=True),
    "CHI_PATTERNS": Field(
        "github.com/go-chi/chi/v5.Context",
        "RoutePatterns",
        optional=True,
        alternatives=(("github.com/go-chi/chi.Context", "RoutePatterns"),),
    ),
    "GORILLA_REGEXP": Field("github.com/gorilla/mux.Route", "routeConf.regexp.path", optional=True),
    "GORILLA_TEMPLATE": Field("github.com/gorilla/mux.routeRegexp", "template", optional=True),
    "G_PANIC": Field("runtime.g", "_panic", optional=True),
    "PANIC_ARG": Field("runtime._panic", "arg", optional=True),
    "PANIC_GOEXIT": Field("runtime._panic", "goexit", optional=True),
    **_h2("H2", ("net/http", "http2"), ("net/http/internal/http2", "")),
    **_h2("XNET", ("golang.org/x/net/http2", "")),
    # Go 1.27: what net/http/internal/http2 makes of a request, before net/http makes a Request of it
    "SERVER_REQUEST_METHOD": Field(_SERVER_REQUEST, "Method", optional=True),
    "SERVER_REQUEST_URI": Field(_SERVER_REQUEST, "RequestURI", optional=True),
    "SERVER_REQUEST_HOST": Field(_SERVER_REQUEST, "Host", optional=True),
    "SERVER_REQUEST_CONTEXT": Field(_SERVER_REQUEST, "Context", optional=True),
    "SERVER_REQUEST_HEADER": Field(_SERVER_REQUEST, "Header", optional=True),
    "SERVER_REQUEST_CONTENT_LENGTH": Field(_SERVER_REQUEST, "ContentLength", optional=True),
    "SERVER_REQUEST_REMOTE_ADDR": Field(_SERVER_REQUEST, "RemoteAddr", optional=True),
    "SERVER_REQUEST_TLS": Field(_SERVER_REQUEST, "TLS", optional=True),
}

TYPES = {
    "T_RESPONSE": Type("*net/http.response"),
    "T_H2_WRITER": Type("*net/http.http2responseWriter"),  # until Go 1.26
    "T_TCP_CONN": Type("*net.TCPConn"),
    "T_TLS_CONN": Type("*crypto/tls.Conn"),
    "T_HTTP_BODY": Type("*net/http.body"),
    "T_TLS_ERROR": Type("*crypto/tls.permanentError"),
    "T_NET_CONN": Type("net.Conn"),
    "T_NO_BODY": Type("net/http.noBody"),
    # what an error is, in client.bpf.c
    "T_OP_ERROR": Type("*net.OpError"),
    "T_SYSCALL_ERROR": Type("*os.SyscallError"),
    "T_READ_ERROR": Type("net/http.transportReadFromServerError"),
    "T_NOTHING_WRITTEN": Type("net/http.nothingWrittenError"),
    "T_WRAP_ERROR": Type("*fmt.wrapError"),
    "T_ERRNO": Type("syscall.Errno"),
    "T_ERROR_STRING": Type("*errors.errorString"),
    "T_DNS_ERROR": Type("*net.DNSError"),
    "T_DEADLINE": Type("context.deadlineExceededError"),
    "T_POLL_DEADLINE": Type("*internal/poll.DeadlineExceededError"),
    "T_NET_TIMEOUT": Type("*net.timeoutError"),
    "T_NET_CANCELED": Type("net.canceledError"),
    "T_TLS_TIMEOUT": Type("net/http.tlsHandshakeTimeoutError"),
    "T_HTTP_TIMEOUT": Type("*net/http.timeoutError"),  # Go 1.21 and later
    "T_HTTP_ERROR": Type("*net/http.httpError"),
    "T_H2_ERROR": Type("*net/http.http2httpError"),
    "T_CERTIFICATE": Type("*crypto/tls.CertificateVerificationError"),
    "T_AUTHORITY": Type("crypto/x509.UnknownAuthorityError"),
    "T_HOSTNAME": Type("crypto/x509.HostnameError"),
    "T_INVALID": Type("crypto/x509.CertificateInvalidError"),
    "T_RECORD_HEADER": Type("crypto/tls.RecordHeaderError"),
    "T_ALERT": Type("crypto/tls.alert"),
}
