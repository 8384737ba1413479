/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* A process of the executable begins: once for each, before anything of it runs that could be traced. User space is
 * woken, to look at the process while it is there, and learns that what it knew of its pid was of another one. A process
 * that lives for milliseconds may be gone by then: so what it is called by (OTEL_SERVICE_NAME) is taken along.
 */

#define PROCESS_VARIABLES 256 /* so many of the environment are looked at */

static long (*process_read_text)(void *to, u32 size, const void *from) = (void *)114; /* bpf_probe_read_user_str */

/* records/correlate.py reads it */
struct process_began {
    struct goinst_record head;
    u32 length; /* of the name, with its 0; 0: none; all there is room for: it may be longer */
    char name[68];
};

/* func sysargs(argc int32, argv **byte): the variables follow behind argv[argc], which is nil */
PROBE(goinst_process_began)
{
#ifdef goinst_process_began__argv
    u64 variable = ARG(goinst_process_began, argv) + 8 * ((u64)(u32)ARG(goinst_process_began, argc) + 1);
    struct process_began *began = goinst_events.ringbuf_reserve(sizeof(struct process_began));
    long length = 0;

    if (!began) { /* twice: as in goinst_operation_end */
        began = goinst_events.ringbuf_reserve(sizeof(struct process_began));
        if (!began) {
            LOSS(process_began_unseen);
            return 0;
        }
    }
    began->head.type = GOINST_PROCESS_BEGAN;
    began->head.flags = 0;
    began->head.tgid = hit->tgid;
    began->head.span_id = bpf_ktime_get_ns();
#pragma clang loop unroll(disable)
    for (u32 i = 0; i < PROCESS_VARIABLES; i++) {
        u64 text = go_word(variable), start[2] = {};

        if (!text)
            break;
        variable += 8;
        if (bpf_probe_read_user(start, sizeof(start), (void *)text) != 0)
            continue;
        /* OTEL_SER VICE_NAM */
        if (start[0] != 0x5245535f4c45544fUL || start[1] != 0x4d414e5f45434956UL || go_byte(text + 17) != '=')
            continue;
        length = process_read_text(began->name, sizeof(began->name), (void *)(text + 18));
        break;
    }
    began->length = length < 0 ? 0 : length;
    goinst_events.ringbuf_submit(began, BPF_RB_FORCE_WAKEUP);
#endif
    return 0;
}
