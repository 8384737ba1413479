/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* A process of the executable begins: once for each, before its main package does anything. User space is woken, to look
 * at the process while it is there, and learns that what it knew of its pid was of another one. */
PROBE(goinst_process_began)
{
    struct goinst_record *began = goinst_events.ringbuf_reserve(sizeof(struct goinst_record));

    if (!began) { /* twice: as in goinst_operation_end */
        began = goinst_events.ringbuf_reserve(sizeof(struct goinst_record));
        if (!began) {
            LOSS(process_began_unseen);
            return 0;
        }
    }
    began->type = GOINST_PROCESS_BEGAN;
    began->flags = 0;
    began->tgid = hit->tgid;
    began->span_id = bpf_ktime_get_ns();
    goinst_events.ringbuf_submit(began, BPF_RB_FORCE_WAKEUP);
    return 0;
}
