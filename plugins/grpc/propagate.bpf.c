/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* A traceparent for each attempt of a call that a client makes (--propagate).
 *
 * The goroutine that makes the call makes its header fields; another one, the transport's loopyWriter, writes them as a
 * frame into the transport's buffer (internal/transport/controlbuf.go, writeHeader). The address of the fields tells
 * which call they are of. When writeHeader returns, the frame is made longer by a field: it is sent later.
 */

#if defined(GOINST_PROPAGATE) && defined(LOOPY_FRAMER) && defined(FRAMER_WRITER) &&                                    \
    (defined(BUFFER_DATA) || defined(BUFFER_HANDLE)) && defined(BUFFER_OFFSET) && defined(BUFFER_BATCH)
#define GRPC_PROPAGATE 1

struct grpc_place {
    u64 address; /* of a goroutine, or of header fields */
    u64 tgid;
};
struct grpc_frame {
    u64 call;
    u64 buffer; /* 0: nothing is to be written, and why not */
    u64 start;
    u64 why;
};
BPF_TABLE("lru_hash", struct grpc_place, u64, grpc_making, 4096);            /* by goroutine: the call */
BPF_TABLE("lru_hash", struct grpc_place, u64, grpc_made, 16384);             /* by fields: the call */
BPF_TABLE("lru_hash", struct grpc_place, struct grpc_frame, grpc_frames, 4096); /* by goroutine */

static __always_inline void grpc_makes_fields(struct goinst_hit *hit, u64 call)
{
    struct grpc_place goroutine = {.address = hit->g, .tgid = hit->tgid};

    grpc_making.update(&goroutine, &call);
}

#define GRPC_FIELDS 64
#define GRPC_FIELD 40 /* hpack.HeaderField: Name, Value string; Sensitive bool */

static __always_inline u8 grpc_present(u64 fields, u64 count)
{
    u64 name;

    for (u32 i = 0; i < GRPC_FIELDS; i++) {
        if (i >= count)
            return 0;
        if (go_word(fields + i * GRPC_FIELD + 8) != 11)
            continue;
        name = go_word(fields + i * GRPC_FIELD);
        if (go_word(name) == 0x7261706563617274ULL && go_u32(name + 7) == 0x746e6572) {
            NOTE(context_present);
            return GOINST_CONTEXT_PRESENT;
        }
    }
    if (count <= GRPC_FIELDS)
        return 0;
    LOSS(context_unsure);
    return GOINST_CONTEXT_UNSURE;
}
#endif

/* func (t *http2Client) createHeaderFields(ctx context.Context, callHdr *CallHdr) ([]hpack.HeaderField, error) */
PROBE(grpc_fields)
{
#if defined(GRPC_PROPAGATE) && defined(grpc_fields__result_fields_ptr)
    struct grpc_place goroutine = {.address = hit->g, .tgid = hit->tgid}, fields = {.tgid = hit->tgid};
    u64 *making = grpc_making.lookup(&goroutine), call;

    if (!making)
        return 0;
    call = *making;
    grpc_making.delete(&goroutine);
    fields.address = RESULT(grpc_fields, fields_ptr);
    if (fields.address)
        grpc_made.update(&fields, &call);
#endif
    return 0;
}

/* func (l *loopyWriter) writeHeader(streamID uint32, endStream bool, hf []hpack.HeaderField, onWrite func()) error */
PROBE(grpc_frame_begin)
{
#if defined(GRPC_PROPAGATE) && defined(grpc_frame_begin__hf_ptr)
    struct grpc_place goroutine = {.address = hit->g, .tgid = hit->tgid};
    struct grpc_place fields = {.address = ARG(grpc_frame_begin, hf_ptr), .tgid = hit->tgid};
    u64 *made = grpc_made.lookup(&fields);
    struct grpc_frame frame = {};

    if (!made)
        return 0;
    frame.call = *made;
    grpc_made.delete(&fields);
    frame.why = grpc_present(fields.address, ARG(grpc_frame_begin, hf_len));
    frame.buffer = go_word(go_word(ARG(grpc_frame_begin, l) + LOOPY_FRAMER) + FRAMER_WRITER);
    frame.start = go_word(frame.buffer + BUFFER_OFFSET);
    grpc_frames.update(&goroutine, &frame);
#endif
    return 0;
}

PROBE(grpc_frame_done)
{
#ifdef GRPC_PROPAGATE
    struct grpc_place goroutine = {.address = hit->g, .tgid = hit->tgid};
    struct grpc_frame *found = grpc_frames.lookup(&goroutine), frame;
    struct goinst_buffer buffer = {};
    struct grpc_client *r;
    u64 batch, slice;

    if (!found)
        return 0;
    frame = *found;
    grpc_frames.delete(&goroutine);
    r = grpc_client_find_keyed(hit, frame.call, 0);
    if (!r)
        return 0;
    if (frame.why) {
        r->context = frame.why;
        return 0;
    }
#ifdef BUFFER_DATA
    slice = frame.buffer + BUFFER_DATA;
#else
    slice = go_word(frame.buffer + BUFFER_HANDLE);
#endif
    buffer.data = go_word(slice);
    buffer.size = go_word(slice + 8);
    buffer.used = frame.buffer + BUFFER_OFFSET;
    /* what reaches a batch is sent at once: stay below */
    batch = go_word(frame.buffer + BUFFER_BATCH);
    if (buffer.size >= batch)
        buffer.size = batch ? batch - 1 : 0;
    r->context = goinst_context_field(grpc_client_operation(r), &buffer, frame.start);
#endif
    return 0;
}
