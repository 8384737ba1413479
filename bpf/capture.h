/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What generated captures (core/goinst/capture) are made of. A value on the wire is a state, the bytes of the value,
 * and behind them what its pointers lead to.
 *
 * Addresses below CAPTURE_OK are no addresses: they say why there is none, and pass through every further step. */

static long (*goinst_probe_read_user_str)(void *to, u32 size, const void *from) = (void *)114;
static long (*goinst_get_stack)(void *ctx, void *to, u32 size, u64 flags) = (void *)67;

#if defined(GOINST_ARM64)
#define GOINST_RETURN_ADDRESS(hit) ((ctx)->regs[30])
#else
#define GOINST_RETURN_ADDRESS(hit) goinst_stack_word(hit, 0)
#endif

#define CAPTURE_NIL 0
#define CAPTURE_BAD 1       /* cannot be read */
#define CAPTURE_NO_ITEM 2   /* there is no such element */
#define CAPTURE_OTHER 3     /* the interface holds another type */
#define CAPTURE_BEYOND 5    /* not in the part of a map that was searched */
#define CAPTURE_OK 8
#define CAPTURE_IN_PART 9   /* read, but for what is in registers that BPF cannot see: floating point */

/* The word at an address: the next address of a path. */
static __always_inline u64 capture_hop(u64 address, u64 offset)
{
    u64 value = 0;

    if (address < CAPTURE_OK)
        return address;
    if (bpf_probe_read_user(&value, sizeof(value), (void *)(address + offset)) != 0)
        return CAPTURE_BAD;
    return value;
}

/* A number of at most 8 bytes for a comparison; what is not there is not equal to anything: *there is 0. */
static __always_inline u64 capture_number(u64 address, u64 offset, u32 size, u64 *there)
{
    u64 value = 0;

    if (address < CAPTURE_OK || bpf_probe_read_user(&value, size, (void *)(address + offset)) != 0)
        *there = 0;
    return value;
}

/* An interface's data if it holds the type with this hash. */
static __always_inline u64 capture_assert(u64 type, u64 data, u32 hash)
{
    if (type < CAPTURE_OK)
        return type;
    return go_type_hash(type) == hash ? data : CAPTURE_OTHER;
}

/* State and `size` bytes (a constant) from address + offset. */
#define capture_read(to, size, address, offset)                                                                      \
    ({                                                                                                               \
        u64 capture_a = (address);                                                                                   \
        if (capture_a >= CAPTURE_OK)                                                                                 \
            capture_a = bpf_probe_read_user((to) + 8, (size), (void *)(capture_a + (offset))) ? CAPTURE_BAD          \
                                                                                              : CAPTURE_OK;          \
        *(u64 *)(to) = capture_a;                                                                                    \
        capture_a == CAPTURE_OK;                                                                                     \
    })

/* How many bytes were copied, whether that went well, and at most `size` (a constant) of `length` bytes. */
#define capture_bytes(to, size, address, length)                                                                     \
    ({                                                                                                               \
        u64 capture_p = (address), capture_l = (length), capture_n = 0;                                              \
        *(u32 *)((to) + 4) = CAPTURE_OK;                                                                             \
        if (capture_p < CAPTURE_OK) {                                                                                \
            *(u32 *)((to) + 4) = capture_l ? (capture_p ? capture_p : CAPTURE_BAD) : CAPTURE_OK;                     \
        } else {                                                                                                     \
            capture_n = go_copy((to) + 8, (size), capture_p, capture_l);                                             \
            if (capture_l && !capture_n)                                                                             \
                *(u32 *)((to) + 4) = CAPTURE_BAD;                                                                    \
        }                                                                                                            \
        *(u32 *)(to) = capture_n;                                                                                    \
    })

/* A C string: the copied bytes are those before the 0, or `size` when there is none. */
#define capture_cstring(to, size, address)                                                                           \
    ({                                                                                                               \
        u64 capture_p = (address);                                                                                   \
        long capture_n = capture_p < CAPTURE_OK ? 0 : goinst_probe_read_user_str((to) + 8, (size), (void *)capture_p); \
        *(u32 *)((to) + 4) = capture_p < CAPTURE_OK ? capture_p : capture_n < 0 ? CAPTURE_BAD : CAPTURE_OK;          \
        *(u32 *)(to) = capture_n > 0 ? capture_n - 1 : 0;                                                            \
    })

/* What is in an interface, as the runtime's type descriptor tells: its hash and kind, its word, and at most two texts.
 * internal/abi/type.go: Size_ at 0, Hash at 16, Kind_ at 23 (its upper bits are flags before Go 1.24). */
#define CAPTURE_TEXT 64
struct capture_part {
    u32 copied;
    u32 state;
    char text[CAPTURE_TEXT];
};
struct capture_dynamic {
    u32 hash;
    u32 kind;
    u64 word;
    struct capture_part parts[2];
};
#define CAPTURE_NONE 0xffff
/* Where the texts of an error type are behind its pointer, and the error inside. */
struct capture_error {
    u16 first;
    u16 second;
    u16 inner;
};

#define CAPTURE_KIND_BOOL 1
#define CAPTURE_KIND_COMPLEX128 16
#define CAPTURE_KIND_SLICE 23
#define CAPTURE_KIND_STRING 24

/* A string header at an address. */
static __always_inline void capture_part_at(struct capture_part *part, u64 address)
{
    u64 header[2] = {};

    if (bpf_probe_read_user(header, sizeof(header), (void *)address) != 0) {
        part->copied = 0;
        part->state = CAPTURE_BAD;
        return;
    }
    capture_bytes((char *)part, CAPTURE_TEXT, header[0], header[1]);
}

static __always_inline void capture_dynamic(struct capture_dynamic *to, u64 type, u64 data)
{
    u64 size = 0;
    u8 kind = 0;

    to->hash = go_type_hash(type);
    to->word = data;
    to->parts[0].state = to->parts[1].state = CAPTURE_NIL;
    to->parts[0].copied = to->parts[1].copied = 0;
    to->kind = 0;
    if (type < CAPTURE_OK)
        return;
    size = go_word(type);
    kind = go_byte(type + 23) & 31;
    to->kind = kind;
    if (kind >= CAPTURE_KIND_BOOL && kind <= CAPTURE_KIND_COMPLEX128) {
        if (size <= 8) {
            to->word = 0;
            asm volatile("" : "+r"(size));
            if (size > 8 || bpf_probe_read_user(&to->word, size, (void *)data) != 0)
                to->parts[0].state = CAPTURE_BAD;
        }
    } else if (kind == CAPTURE_KIND_STRING) {
        capture_part_at(&to->parts[0], data);
    } else if (kind == CAPTURE_KIND_SLICE) {
        to->word = go_word(data + 8); /* its length */
    }
}

/* At most so many events a second leave a capture; the others are counted by whoever asks. */
struct capture_second {
    u64 number;
    u64 sent;
};

static __always_inline int capture_in_rate(struct capture_second *second, u64 most)
{
    u64 now = bpf_ktime_get_ns() / 1000000000;

    if (!second)
        return 1;
    if (second->number != now) {
        second->number = now;
        second->sent = 0;
    }
    now = second->sent; /* what the addition returns cannot be had before Linux 5.12; a few more may pass */
    __sync_fetch_and_add(&second->sent, 1);
    return now < most;
}

/* The power of two that a number is below: the bucket of a histogram. */
static __always_inline u32 capture_log2(u64 value)
{
    u32 bits = 0;

#pragma unroll
    for (u32 step = 32; step; step >>= 1) {
        if (value >> step) {
            value >>= step;
            bits += step;
        }
    }
    return value ? bits + 1 : 0;
}
