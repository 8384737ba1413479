/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* JSON-RPC that does not travel in the body of an HTTP request: standard input and output, WebSockets, and libraries
 * that have a whole message in one place. Bytes go to user space as they are; messages are put together there.
 *
 * Which bytes are worth it is decided here: a stream counts as JSON-RPC once something that was read or written on it
 * began like a message. Until then, nothing of it is sent.
 */

#define JSONSTREAM_RECORDS 8 /* of 1 KiB that one run of jsonstream_send sends; it goes on by tail calls */

struct jsonstream_goroutine {
    u64 g;
    u64 tgid;
};
struct jsonstream_read {
    u64 buffer;
    u64 stream;
    u64 reader;
};
/* by goroutine: a Read that has not returned */
BPF_TABLE("lru_hash", struct jsonstream_goroutine, struct jsonstream_read, jsonstream_reads, 4096);
/* the connection that a library reads from or writes to in a goroutine, whose g may be another one's by and by */
struct jsonstream_held {
    u64 connection;
    u64 goid;
};
BPF_TABLE("lru_hash", struct jsonstream_goroutine, struct jsonstream_held, jsonstream_connections, 4096);
struct jsonstream_key {
    u64 stream;
    u64 tgid;
};
/* what is known of a stream */
#define JSONSTREAM_JSON 1
#define JSONSTREAM_OTHER 2 /* a socket that carries HTTP */
BPF_TABLE("lru_hash", struct jsonstream_key, u8, jsonstream_known, 8192);
/* reads and writes of files that were looked at, and whether JSON-RPC was seen on a pipe to a child */
BPF_ARRAY(jsonstream_files, u64, 2);
#define JSONSTREAM_LOOKED 0
#define JSONSTREAM_CARRIED 1
/* processes with a library that shows whole messages: their standard input would show them again */
BPF_TABLE("lru_hash", u32, u8, jsonstream_libraries, 1024);

/* What was read or written. */
struct jsonstream_what {
    u64 stream;
    u64 data;
    u64 length;
    u64 sent;
    u64 time;
    u64 extra; /* more of it at another place */
    u64 extra_length;
    u8 source;
    u8 direction;
    u8 final;
};
/* by goroutine: from the program that found it to those that look at it and send it */
BPF_TABLE("lru_hash", struct jsonstream_goroutine, struct jsonstream_what, jsonstream_whats, 4096);

static __always_inline void jsonstream_put(struct goinst_hit *hit, struct jsonstream_what *what)
{
    struct jsonstream_goroutine key = {.g = hit->g, .tgid = hit->tgid};

    jsonstream_whats.update(&key, what);
}

static __always_inline struct jsonstream_what *jsonstream_get(struct goinst_hit *hit)
{
    struct jsonstream_goroutine key = {.g = hit->g, .tgid = hit->tgid};

    return jsonstream_whats.lookup(&key);
}

/* 1 when they are equal, without a branch, of which the verifier would follow both ways. */
static __always_inline u64 jsonstream_is(u64 a, u64 b)
{
    a ^= b;
    asm volatile("" : "+r"(a));
    return (a - 1) >> 63;
}

/* Whether it is how HTTP/1 or HTTP/2 begins, in either direction. */
static __always_inline int jsonstream_is_http(const u8 *head)
{
    u32 word = (u32)head[0] << 24 | (u32)head[1] << 16 | (u32)head[2] << 8 | head[3];

    return word == 0x48545450 /* HTTP */ || word == 0x504f5354 /* POST */ || word == 0x47455420 /* GET */ ||
           word == 0x50555420 /* PUT */ || word == 0x48454144 /* HEAD */ || word == 0x4f505449 /* OPTIONS */ ||
           word == 0x44454c45 /* DELETE */ || word == 0x50415443 /* PATCH */ || word == 0x434f4e4e /* CONNECT */ ||
           word == 0x50524920 /* PRI, of HTTP/2's preface */;
}

/* Whether the stream is known to carry JSON-RPC, or begins to with this piece: a header, Content-Length or a Content-Type
 * of JSON, or an object or an array whose first 64 bytes have "json" or "meth" in them ("jsonrpc", "method"). */
PROBE(jsonstream_look)
{
    struct jsonstream_what *what = jsonstream_get(hit);
    struct jsonstream_key key = {.tgid = hit->tgid};
    u32 window = 0;
    u64 found = 0;
    u32 carried = JSONSTREAM_CARRIED;
    u64 one = 1;
    u8 head[64] = {}, state = JSONSTREAM_JSON, *known;

    if (!what)
        return 0;
    key.stream = what->stream;
    known = jsonstream_known.lookup(&key);
    if (known && *known == JSONSTREAM_OTHER)
        return 0;
    if (!known) {
        if (!go_copy(head, sizeof(head), what->data, what->length))
            return 0;
        if (what->source == JSONSTREAM_SOCKET && jsonstream_is_http(head)) {
            state = JSONSTREAM_OTHER;
            jsonstream_known.update(&key, &state);
            return 0;
        }
        if (head[0] == 'C' && head[1] == 'o' && head[2] == 'n' && head[7] == '-')
            found = head[8] == 'L'; /* a Content-Type has "json" in it */
        else if (head[0] != '{' && head[0] != '[')
            return 0;
#pragma unroll
        for (u32 i = 0; i < sizeof(head); i++) {
            window = window << 8 | head[i];
            found |= jsonstream_is(window, 0x6a736f6e) | jsonstream_is(window, 0x6d657468);
        }
        if (!found)
            return 0;
        jsonstream_known.update(&key, &state);
        if (what->source == JSONSTREAM_PIPE)
            jsonstream_files.update(&carried, &one);
    }
    TAIL_CALL(jsonstream_send);
    return 0;
}

PROBE(jsonstream_send)
{
    struct jsonstream_what *what = jsonstream_get(hit);
    struct goinst_operation *around = goinst_operation_around(hit);
    struct jsonstream_piece *r;
    u64 length, trace_high = 0, trace_low = 0, parent = 0, rear = 0;
    u8 last;

    if (!what)
        return 0;
    /* here and not in the loop, where the verifier would follow both ways each time */
    if (around) {
        trace_high = around->trace_high;
        trace_low = around->trace_low;
        parent = around->head.span_id;
    }
    if (!what->sent)
        what->time = bpf_ktime_get_ns();
    last = go_byte(what->data + what->length - 1);
    length = what->length;
    if (length > STREAM_LIMIT) {
        /* many a response has its id behind all else */
        rear = what->data + length - sizeof(r->tail);
        length = STREAM_LIMIT;
    }
    for (u32 i = 0; i < JSONSTREAM_RECORDS; i++) {
        u64 offset = what->sent;

        if (offset >= length)
            break;
        r = jsonstream_piece_reserve(0, hit);
        if (!r)
            return 0;
        r->time = what->time;
        r->stream = what->stream;
        r->length = what->length;
        r->offset = offset;
        r->source = what->source;
        r->direction = what->direction;
        r->final = what->final && !what->extra_length;
        r->trace_high = trace_high;
        r->trace_low = trace_low;
        r->parent = parent;
        r->last = last;
        r->tail_length = rear ? go_copy(r->tail, sizeof(r->tail), rear, sizeof(r->tail)) : 0;
        r->copied = go_copy(r->data, sizeof(r->data), what->data + offset, length - offset);
        jsonstream_piece_submit(r);
        what->sent = offset + sizeof(r->data);
    }
    if (what->sent >= length) {
        if (!what->extra_length)
            return 0;
        what->data = what->extra;
        what->length = what->extra_length;
        what->extra_length = 0;
        what->sent = 0;
    }
    TAIL_CALL(jsonstream_send);
    return 0;
}

static __always_inline void jsonstream_begin_read(struct goinst_hit *hit, u64 buffer, u64 stream, u64 reader)
{
    struct jsonstream_goroutine key = {.g = hit->g, .tgid = hit->tgid};
    struct jsonstream_read read = {.buffer = buffer, .stream = stream, .reader = reader};

    jsonstream_reads.update(&key, &read);
}

/* The Read that returns; nothing when its beginning was not seen. */
static __always_inline int jsonstream_end_read(struct goinst_hit *hit, struct jsonstream_read *read)
{
    struct jsonstream_goroutine key = {.g = hit->g, .tgid = hit->tgid};
    struct jsonstream_read *found = jsonstream_reads.lookup(&key);

    if (!found || !found->buffer)
        return 0;
    *read = *found;
    found->buffer = 0;
    return 1;
}

/* A Read returned that was noted in a map of its own: to be looked at when it brought something. */
static __always_inline int jsonstream_came(struct goinst_hit *hit, struct jsonstream_read *read, s64 length, u8 source)
{
    struct jsonstream_what what = {.source = source, .direction = JSONSTREAM_IN};

    if (!read || !read->buffer)
        return 0;
    what.data = read->buffer;
    what.stream = read->stream;
    what.length = length;
    read->buffer = 0;
    if (length <= 0)
        return 0;
    jsonstream_put(hit, &what);
    return 1;
}

/* -- standard input and output ------------------------------------------------------------------------------------ */

#if defined(FILE_FILE) && defined(FILE_SYSFD)
static __always_inline u32 jsonstream_descriptor(u64 file)
{
    return go_u32(go_word(file + FILE_FILE) + FILE_SYSFD);
}

/* func (f *File) Read(b []byte) (n int, err error) */
PROBE(jsonstream_file_read)
{
    if (jsonstream_libraries.lookup(&hit->tgid) || jsonstream_descriptor(ARG(jsonstream_file_read, f)) != 0)
        return 0;
    jsonstream_begin_read(hit, ARG(jsonstream_file_read, b_ptr), 0, 0);
    return 0;
}

PROBE(jsonstream_file_read_done)
{
    s64 length = RESULT(jsonstream_file_read_done, n);
    struct jsonstream_what what = {.source = JSONSTREAM_STDIO, .direction = JSONSTREAM_IN};
    struct jsonstream_read read;

    if (length <= 0 || !jsonstream_end_read(hit, &read) || read.stream || read.reader)
        return 0;
    what.data = read.buffer;
    what.length = length;
    jsonstream_put(hit, &what);
    TAIL_CALL(jsonstream_look);
    return 0;
}

/* func (f *File) Write(b []byte) (n int, err error) */
PROBE(jsonstream_file_write)
{
    struct jsonstream_what what = {.source = JSONSTREAM_STDIO, .direction = JSONSTREAM_OUT};

    if (jsonstream_libraries.lookup(&hit->tgid) || jsonstream_descriptor(ARG(jsonstream_file_write, f)) != 1)
        return 0;
    what.data = ARG(jsonstream_file_write, b_ptr);
    what.length = ARG(jsonstream_file_write, b_len);
    if (!what.length)
        return 0;
    jsonstream_put(hit, &what);
    TAIL_CALL(jsonstream_look);
    return 0;
}
#endif

/* -- standard input and output of children ------------------------------------------------------------------------
 *
 * A client of servers on stdio writes to one pipe and reads from another. Files that net/poll cannot wait for are none.
 */

#if defined(FILE_FILE) && defined(FILE_SYSFD) && defined(FILE_POLL)
#define JSONSTREAM_PIPES 1
/* by goroutine: a Read of a pipe that has not returned */
BPF_TABLE("lru_hash", struct jsonstream_goroutine, struct jsonstream_read, jsonstream_pipe_reads, 4096);

/* What a pipe is known by, apart from sockets; 0 when it is none, or this process's own standard stream. */
static __always_inline u64 jsonstream_pipe(u64 file)
{
    u64 inner = go_word(file + FILE_FILE);
    u32 descriptor = go_u32(inner + FILE_SYSFD);

    return descriptor > 2 && go_word(inner + FILE_POLL) ? 1ULL << 32 | descriptor : 0;
}
#endif

/* A file was read or written. When that was so often, and no pipe carries JSON-RPC, it is not looked at any longer. */
static __always_inline void jsonstream_looked(void)
{
    u32 number = JSONSTREAM_LOOKED, carried = JSONSTREAM_CARRIED;
    u64 *count = jsonstream_files.lookup(&number), *carries = jsonstream_files.lookup(&carried);

    if (!count || !carries || *carries || *count > WATCHED_FILES)
        return;
    __sync_fetch_and_add(count, 1);
    if (*count > WATCHED_FILES) {
        NOTE(pipes_idle);
        SIGNAL(pipes_idle);
    }
}

/* func (c *Cmd) StdinPipe() (io.WriteCloser, error), of os/exec: a child is about to be started */
PROBE(jsonstream_child)
{
    u32 number = JSONSTREAM_LOOKED;
    u64 none = 0;

    jsonstream_files.update(&number, &none);
    SIGNAL(child_started);
    return 0;
}

/* func (f *File) Read(b []byte) (n int, err error) */
PROBE(jsonstream_pipe_read)
{
#ifdef JSONSTREAM_PIPES
    struct jsonstream_goroutine key = {.g = hit->g, .tgid = hit->tgid};
    struct jsonstream_read read = {.buffer = ARG(jsonstream_pipe_read, b_ptr),
                                   .stream = jsonstream_pipe(ARG(jsonstream_pipe_read, f))};

    jsonstream_looked();
    if (!read.stream || jsonstream_libraries.lookup(&hit->tgid))
        return 0;
    jsonstream_pipe_reads.update(&key, &read);
#endif
    return 0;
}

PROBE(jsonstream_pipe_read_done)
{
#ifdef JSONSTREAM_PIPES
    struct jsonstream_goroutine key = {.g = hit->g, .tgid = hit->tgid};
    struct jsonstream_read *read = jsonstream_pipe_reads.lookup(&key);

    if (jsonstream_came(hit, read, RESULT(jsonstream_pipe_read_done, n), JSONSTREAM_PIPE))
        TAIL_CALL(jsonstream_look);
#endif
    return 0;
}

/* func (f *File) Write(b []byte) (n int, err error) */
PROBE(jsonstream_pipe_write)
{
#ifdef JSONSTREAM_PIPES
    struct jsonstream_what what = {.source = JSONSTREAM_PIPE, .direction = JSONSTREAM_OUT};

    jsonstream_looked();
    what.stream = jsonstream_pipe(ARG(jsonstream_pipe_write, f));
    what.data = ARG(jsonstream_pipe_write, b_ptr);
    what.length = ARG(jsonstream_pipe_write, b_len);
    if (!what.stream || !what.length || jsonstream_libraries.lookup(&hit->tgid))
        return 0;
    jsonstream_put(hit, &what);
    TAIL_CALL(jsonstream_look);
#endif
    return 0;
}

/* -- sockets ------------------------------------------------------------------------------------------------------
 *
 * Reads and writes of all sockets pass here, those of HTTP, too. So these probes are only in binaries that speak of
 * "jsonrpc", and in one with an HTTP server only once a listener was seen that is not that server's: what it accepted
 * did not become an http.conn before it waited for the next.
 */

/* by goroutine: a Read that has not returned; WebSockets and files have theirs around it */
BPF_TABLE("lru_hash", struct jsonstream_goroutine, struct jsonstream_read, jsonstream_socket_reads, 4096);
/* by goroutine of a listener: it has accepted a connection that is nobody's yet */
BPF_TABLE("lru_hash", struct jsonstream_goroutine, u8, jsonstream_accepts, 1024);

/* func (fd *netFD) accept() (netfd *netFD, err error) */
PROBE(jsonstream_accept)
{
    struct jsonstream_goroutine key = {.g = hit->g, .tgid = hit->tgid};

    if (jsonstream_accepts.lookup(&key)) {
        LOSS(raw_listener);
        SIGNAL(raw_listener);
        jsonstream_accepts.delete(&key);
    }
    return 0;
}

/* netFD.init, which accept calls for the connection that it got */
PROBE(jsonstream_accepted)
{
    struct jsonstream_goroutine key = {.g = hit->g, .tgid = hit->tgid};
    u8 one = 1;

    jsonstream_accepts.update(&key, &one);
    return 0;
}

/* func (srv *Server) trackConn(c *conn, add bool), before net/http accepts the next one */
PROBE(jsonstream_http_conn)
{
    struct jsonstream_goroutine key = {.g = hit->g, .tgid = hit->tgid};

    jsonstream_accepts.delete(&key);
    return 0;
}

/* func (fd *FD) Init(net string, pollable bool) error, of internal/poll: the number may have been another socket's */
PROBE(jsonstream_socket_init)
{
#ifdef POLL_SYSFD
    struct jsonstream_key key = {.stream = go_u32(ARG(jsonstream_socket_init, fd) + POLL_SYSFD), .tgid = hit->tgid};

    jsonstream_known.delete(&key);
#endif
    return 0;
}

/* func read(fd int, p []byte) (n int, err error), of syscall: called again when there is something after a wait, so
 * also a read is seen that began before goinst */
PROBE(jsonstream_socket_read)
{
    struct jsonstream_goroutine key = {.g = hit->g, .tgid = hit->tgid};
    struct jsonstream_read read = {.buffer = ARG(jsonstream_socket_read, p_ptr),
                                   .stream = ARG(jsonstream_socket_read, fd)};

    if (jsonstream_libraries.lookup(&hit->tgid))
        return 0;
    jsonstream_socket_reads.update(&key, &read);
    return 0;
}

/* func (fd *netFD) Read(p []byte) (n int, err error) */
PROBE(jsonstream_socket_read_done)
{
    struct jsonstream_goroutine key = {.g = hit->g, .tgid = hit->tgid};
    struct jsonstream_read *read = jsonstream_socket_reads.lookup(&key);

    if (jsonstream_came(hit, read, RESULT(jsonstream_socket_read_done, n), JSONSTREAM_SOCKET))
        TAIL_CALL(jsonstream_look);
    return 0;
}

/* func (fd *netFD) Write(p []byte) (nn int, err error) */
PROBE(jsonstream_socket_write)
{
#ifdef NETFD_SYSFD
    struct jsonstream_what what = {.source = JSONSTREAM_SOCKET, .direction = JSONSTREAM_OUT};

    what.stream = go_u32(ARG(jsonstream_socket_write, fd) + NETFD_SYSFD);
    what.data = ARG(jsonstream_socket_write, p_ptr);
    what.length = ARG(jsonstream_socket_write, p_len);
    if (!what.length || jsonstream_libraries.lookup(&hit->tgid))
        return 0;
    jsonstream_put(hit, &what);
    TAIL_CALL(jsonstream_look);
#endif
    return 0;
}

/* -- github.com/gorilla/websocket --------------------------------------------------------------------------------- */

#if defined(GORILLA_WRITER_C) && defined(GORILLA_WRITER_POS) && defined(GORILLA_WRITE_BUF)
#define JSONSTREAM_GORILLA_HEADER 14 /* maxFrameHeaderSize: where the data starts in writeBuf */

/* func (w *messageWriter) flushFrame(final bool, extra []byte) error: every frame, before it is masked */
PROBE(jsonstream_gorilla_write)
{
    u64 writer = ARG(jsonstream_gorilla_write, w), extra = ARG(jsonstream_gorilla_write, extra_len);
    u64 position = go_word(writer + GORILLA_WRITER_POS);
    u64 type = go_word(writer + GORILLA_WRITER_TYPE);
    u8 final = ARG(jsonstream_gorilla_write, final);
    struct jsonstream_what what = {.source = JSONSTREAM_WEBSOCKET, .direction = JSONSTREAM_OUT};

    if (type > 2 || go_byte(writer + GORILLA_WRITER_COMPRESS)) /* control frames; what is compressed */
        return 0;
    what.stream = go_word(writer + GORILLA_WRITER_C);
    what.final = final;
    what.data = go_word(what.stream + GORILLA_WRITE_BUF) + JSONSTREAM_GORILLA_HEADER;
    what.length = position - JSONSTREAM_GORILLA_HEADER;
    what.extra = ARG(jsonstream_gorilla_write, extra_ptr);
    what.extra_length = extra;
    if (position <= JSONSTREAM_GORILLA_HEADER) {
        if (!extra)
            return 0;
        what.data = what.extra;
        what.length = extra;
        what.extra_length = 0;
    }
    jsonstream_put(hit, &what);
    TAIL_CALL(jsonstream_look);
    return 0;
}

/* func (r *messageReader) Read(b []byte) (int, error) */
PROBE(jsonstream_gorilla_read)
{
    u64 reader = ARG(jsonstream_gorilla_read, r);

    jsonstream_begin_read(hit, ARG(jsonstream_gorilla_read, b_ptr), go_word(reader + GORILLA_READER_C), reader);
    return 0;
}

PROBE(jsonstream_gorilla_read_done)
{
    s64 length = RESULT(jsonstream_gorilla_read_done, n);
    struct jsonstream_what what = {.source = JSONSTREAM_WEBSOCKET, .direction = JSONSTREAM_IN};
    struct jsonstream_read read;

    if (length <= 0 || !jsonstream_end_read(hit, &read) || !read.reader)
        return 0;
    what.stream = read.stream;
    what.data = read.buffer;
    what.length = length;
    what.final = go_byte(read.stream + GORILLA_READ_FINAL) && go_word(read.stream + GORILLA_READ_REMAINING) == 0;
    jsonstream_put(hit, &what);
    TAIL_CALL(jsonstream_look);
    return 0;
}
#endif

/* -- github.com/coder/websocket ----------------------------------------------------------------------------------- */

#if defined(CODER_READER_C) && defined(CODER_READER_FIN) && defined(CODER_READER_LEFT)
/* func (c *Conn) writeFrame(ctx, fin bool, flate bool, opcode opcode, p []byte) (int, error) */
PROBE(jsonstream_coder_write)
{
    struct jsonstream_what what = {.source = JSONSTREAM_WEBSOCKET, .direction = JSONSTREAM_OUT};

    if ((u8)ARG(jsonstream_coder_write, flate) || ARG(jsonstream_coder_write, opcode) > 2)
        return 0;
    what.stream = ARG(jsonstream_coder_write, c);
    what.data = ARG(jsonstream_coder_write, p_ptr);
    what.length = ARG(jsonstream_coder_write, p_len);
    what.final = ARG(jsonstream_coder_write, fin);
    if (!what.length)
        return 0;
    jsonstream_put(hit, &what);
    TAIL_CALL(jsonstream_look);
    return 0;
}

/* func (mr *msgReader) Read(p []byte) (n int, err error): inflated already */
PROBE(jsonstream_coder_read)
{
    u64 reader = ARG(jsonstream_coder_read, mr);

    jsonstream_begin_read(hit, ARG(jsonstream_coder_read, p_ptr), go_word(reader + CODER_READER_C), reader);
    return 0;
}

PROBE(jsonstream_coder_read_done)
{
    s64 length = RESULT(jsonstream_coder_read_done, n);
    struct jsonstream_what what = {.source = JSONSTREAM_WEBSOCKET, .direction = JSONSTREAM_IN};
    struct jsonstream_read read;

    if (length <= 0 || !jsonstream_end_read(hit, &read) || !read.reader)
        return 0;
    what.stream = read.stream;
    what.data = read.buffer;
    what.length = length;
    what.final = go_byte(read.reader + CODER_READER_FIN) && go_word(read.reader + CODER_READER_LEFT) == 0;
    jsonstream_put(hit, &what);
    TAIL_CALL(jsonstream_look);
    return 0;
}
#endif

/* -- libraries: a whole message in one place ---------------------------------------------------------------------- */

static __always_inline void jsonstream_connection(struct goinst_hit *hit, u64 connection)
{
    struct jsonstream_goroutine key = {.g = hit->g, .tgid = hit->tgid};
    struct jsonstream_held held = {.connection = connection, .goid = goinst_goid(hit)};

    jsonstream_connections.update(&key, &held);
}

static __always_inline int jsonstream_message(struct goinst_hit *hit, u64 data, u64 length, u8 direction)
{
    struct jsonstream_goroutine key = {.g = hit->g, .tgid = hit->tgid};
    struct jsonstream_what what = {.source = JSONSTREAM_LIBRARY, .direction = direction, .final = 1};
    struct jsonstream_held *held = jsonstream_connections.lookup(&key);
    u8 one = 1;

    if (!length)
        return 0;
    if (!jsonstream_libraries.lookup(&hit->tgid))
        jsonstream_libraries.update(&hit->tgid, &one);
    what.stream = held && held->goid == goinst_goid(hit) ? held->connection : 0;
    what.data = data;
    what.length = length;
    jsonstream_put(hit, &what);
    return 1;
}

/* methods of a connection that read from it, or write to it, on the goroutine of the hit */
PROBE(jsonstream_exp_connection)
{
    jsonstream_connection(hit, ARG(jsonstream_exp_connection, c));
    return 0;
}
PROBE(jsonstream_exp_reading)
{
    jsonstream_connection(hit, ARG(jsonstream_exp_reading, c));
    return 0;
}
PROBE(jsonstream_sdk_connection)
{
    jsonstream_connection(hit, ARG(jsonstream_sdk_connection, c));
    return 0;
}
PROBE(jsonstream_sdk_reading)
{
    jsonstream_connection(hit, ARG(jsonstream_sdk_reading, c));
    return 0;
}
PROBE(jsonstream_source_connection)
{
    jsonstream_connection(hit, ARG(jsonstream_source_connection, c));
    return 0;
}
PROBE(jsonstream_source_reading)
{
    jsonstream_connection(hit, ARG(jsonstream_source_reading, c));
    return 0;
}

/* func DecodeMessage(data []byte) (Message, error) */
PROBE(jsonstream_exp_decode)
{
    if (jsonstream_message(hit, ARG(jsonstream_exp_decode, data_ptr), ARG(jsonstream_exp_decode, data_len),
                       JSONSTREAM_IN))
        TAIL_CALL(jsonstream_send);
    return 0;
}
PROBE(jsonstream_sdk_decode)
{
    if (jsonstream_message(hit, ARG(jsonstream_sdk_decode, data_ptr), ARG(jsonstream_sdk_decode, data_len),
                       JSONSTREAM_IN))
        TAIL_CALL(jsonstream_send);
    return 0;
}

/* func EncodeMessage(msg Message) ([]byte, error) */
PROBE(jsonstream_exp_encode)
{
    if (jsonstream_message(hit, RESULT(jsonstream_exp_encode, data_ptr), RESULT(jsonstream_exp_encode, data_len),
                       JSONSTREAM_OUT))
        TAIL_CALL(jsonstream_send);
    return 0;
}
PROBE(jsonstream_sdk_encode)
{
    if (jsonstream_message(hit, RESULT(jsonstream_sdk_encode, data_ptr), RESULT(jsonstream_sdk_encode, data_len),
                       JSONSTREAM_OUT))
        TAIL_CALL(jsonstream_send);
    return 0;
}

/* func (m *anyMessage) UnmarshalJSON(data []byte) error */
PROBE(jsonstream_source_decode)
{
    if (jsonstream_message(hit, ARG(jsonstream_source_decode, data_ptr), ARG(jsonstream_source_decode, data_len),
                       JSONSTREAM_IN))
        TAIL_CALL(jsonstream_send);
    return 0;
}
/* func (m anyMessage) MarshalJSON() ([]byte, error) */
PROBE(jsonstream_source_encode)
{
    if (jsonstream_message(hit, RESULT(jsonstream_source_encode, data_ptr), RESULT(jsonstream_source_encode, data_len),
                       JSONSTREAM_OUT))
        TAIL_CALL(jsonstream_send);
    return 0;
}
