/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* A trace context on its way out: written into the buffer that a request is being put together in.
 *
 * All of it happens on the thread that fills the buffer, in a probe, so that nobody else looks at it; only bytes and
 * lengths are written, never a pointer. What does not fit, or is not exactly what is expected, is left alone.
 * GOINST_PROPAGATE is 1 to write, and 2 to do everything but that (--propagate=dry-run).
 */

/* what became of it: goinst.toolkit.context has the words */
#define GOINST_CONTEXT_WRITTEN 1
#define GOINST_CONTEXT_DRY_RUN 2
#define GOINST_CONTEXT_PRESENT 3
#define GOINST_CONTEXT_NO_ROOM 4
#define GOINST_CONTEXT_UNSURE 5
#define GOINST_CONTEXT_FAILED 6

#ifdef GOINST_PROPAGATE

/* A buffer of the target that is being filled. */
struct goinst_buffer {
    u64 data; /* where it is */
    u64 size;
    u64 used; /* address of the word that says how much of it is in use */
};

static long (*goinst_probe_write_user)(void *to, const void *from, u32 size) = (void *)36;

static __always_inline long goinst_write(u64 address, const void *from, u32 size)
{
#if GOINST_PROPAGATE == 1
    return goinst_probe_write_user((void *)address, from, size);
#else
    return 0;
#endif
}

/* The 55 bytes of a W3C traceparent. */
static __always_inline void goinst_traceparent(char *text, struct goinst_operation *op)
{
    goinst_operation_left_out(op);
    text[0] = '0';
    text[1] = '0';
    text[2] = '-';
    goinst_hex_text(text + 3, op->trace_high);
    goinst_hex_text(text + 19, op->trace_low);
    text[35] = '-';
    goinst_hex_text(text + 36, op->head.span_id);
    text[52] = '-';
    text[53] = '0';
    text[54] = op->head.flags & GOINST_UNSAMPLED ? '0' : '1';
}

static __always_inline u8 goinst_context_written(void)
{
#if GOINST_PROPAGATE == 1
    NOTE(context_written);
    return GOINST_CONTEXT_WRITTEN;
#else
    NOTE(context_dry_run);
    return GOINST_CONTEXT_DRY_RUN;
#endif
}

#define GOINST_CONTEXT_LINE 70 /* "Traceparent: ", the value, CR LF */

/* A line of an HTTP/1 header, behind what is in the buffer: it must end with a line. */
static __always_inline u8 goinst_context_line(struct goinst_operation *op, const struct goinst_buffer *buffer)
{
    char line[GOINST_CONTEXT_LINE + 2] = "Traceparent: ";
    u64 used = go_word(buffer->used);

    /* the request line at least is there */
    if (!used || used > buffer->size || go_u32(buffer->data + used - 4) >> 16 != 0x0a0d) {
        LOSS(context_unsure);
        return GOINST_CONTEXT_UNSURE;
    }
    if (buffer->size - used < GOINST_CONTEXT_LINE) {
        LOSS(context_no_room);
        return GOINST_CONTEXT_NO_ROOM;
    }
    goinst_traceparent(line + 13, op);
    line[68] = '\r';
    line[69] = '\n';
    if (goinst_write(buffer->data + used, line, GOINST_CONTEXT_LINE)) {
        LOSS(context_not_written);
        return GOINST_CONTEXT_FAILED;
    }
    used += GOINST_CONTEXT_LINE;
    if (goinst_write(buffer->used, &used, sizeof(used))) {
        LOSS(context_not_written);
        return GOINST_CONTEXT_FAILED;
    }
    return goinst_context_written();
}

/* HTTP/2 (RFC 9113 section 4.1 and 6.2): 9 bytes in front of each frame, of which 3 are its length; one HEADERS frame
 * with the whole block and without padding is what can be made longer; every peer takes 16 KiB. */
#define GOINST_FRAME_HEAD 9
#define GOINST_FRAME_LARGEST 16384
#define GOINST_FRAME_HEADERS 1
#define GOINST_FRAME_END_HEADERS 4
#define GOINST_FRAME_PADDED 8
/* HPACK (RFC 7541 section 6.2.2): a literal that is not put into the table, with a new name; no Huffman coding */
#define GOINST_CONTEXT_FIELD 69

/* A header field at the end of the HEADERS frame that is the last thing in the buffer and starts at `start`. */
static __always_inline u8 goinst_context_field(struct goinst_operation *op, const struct goinst_buffer *buffer,
                                               u64 start)
{
    char field[GOINST_CONTEXT_FIELD + 3] = "\x00\x0btraceparent\x37";
    u8 head[GOINST_FRAME_HEAD + 7] = {}, longer[4] = {};
    u64 used = go_word(buffer->used), length;

    if (used > buffer->size || start > used || used - start < GOINST_FRAME_HEAD ||
        bpf_probe_read_user(head, GOINST_FRAME_HEAD, (void *)(buffer->data + start)) != 0) {
        LOSS(context_unsure);
        return GOINST_CONTEXT_UNSURE;
    }
    length = (u64)head[0] << 16 | (u64)head[1] << 8 | head[2];
    if (used - start != GOINST_FRAME_HEAD + length || head[3] != GOINST_FRAME_HEADERS ||
        (head[4] & (GOINST_FRAME_END_HEADERS | GOINST_FRAME_PADDED)) != GOINST_FRAME_END_HEADERS) {
        LOSS(context_unsure);
        return GOINST_CONTEXT_UNSURE;
    }
    if (buffer->size - used < GOINST_CONTEXT_FIELD || length + GOINST_CONTEXT_FIELD > GOINST_FRAME_LARGEST) {
        LOSS(context_no_room);
        return GOINST_CONTEXT_NO_ROOM;
    }
    goinst_traceparent(field + 14, op);
    if (goinst_write(buffer->data + used, field, GOINST_CONTEXT_FIELD)) {
        LOSS(context_not_written);
        return GOINST_CONTEXT_FAILED;
    }
    length += GOINST_CONTEXT_FIELD;
    longer[0] = length >> 16;
    longer[1] = length >> 8;
    longer[2] = length;
    if (goinst_write(buffer->data + start, longer, 3)) {
        LOSS(context_not_written);
        return GOINST_CONTEXT_FAILED;
    }
    used += GOINST_CONTEXT_FIELD;
    if (goinst_write(buffer->used, &used, sizeof(used))) {
        goinst_write(buffer->data + start, head, 3);
        LOSS(context_not_written);
        return GOINST_CONTEXT_FAILED;
    }
    return goinst_context_written();
}
#endif
