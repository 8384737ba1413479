/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Reading Go values. Addresses are u64 throughout: the target's memory is only ever read by
 * bpf_probe_read_user, which fails instead of faulting; what cannot be read is 0. */

static __always_inline u64 go_word(u64 address)
{
    u64 value = 0;
    bpf_probe_read_user(&value, sizeof(value), (void *)address);
    return value;
}

static __always_inline u32 go_u32(u64 address)
{
    u32 value = 0;
    bpf_probe_read_user(&value, sizeof(value), (void *)address);
    return value;
}

static __always_inline u8 go_byte(u64 address)
{
    u8 value = 0;
    bpf_probe_read_user(&value, sizeof(value), (void *)address);
    return value;
}

/* Both runtime.itab and runtime._type keep the type's hash at offset 16 (runtime/runtime2.go, internal/abi/type.go,
 * 1.16 to 1.27). A hash does not depend on where the program was loaded, an address does. */
static __always_inline u32 go_type_hash(u64 itab_or_type)
{
    if (!itab_or_type)
        return 0;
    return go_u32(itab_or_type + 16);
}

/* Copies at most `size` (a constant, at least 2) of `length` bytes at `address` to `destination`; the number copied.
 * 0 when nothing is there or it cannot be read. */
#define go_copy(destination, size, address, length)                                                                  \
    ({                                                                                                               \
        u64 goinst_n = (length);                                                                                     \
        if (goinst_n > (size))                                                                                       \
            goinst_n = (size);                                                                                       \
        /* for verifiers before 6.x: the bound has to be on the very register that is passed, and LLVM must not make \
         * one comparison of a lower and an upper bound (0 bytes may be read) */                                     \
        asm volatile("" : "+r"(goinst_n));                                                                           \
        if (goinst_n > (size) || bpf_probe_read_user((destination), goinst_n, (void *)(address)) != 0)               \
            goinst_n = 0;                                                                                            \
        goinst_n;                                                                                                    \
    })

/* A Go string (data pointer, length) that is stored at `address`. */
#define go_string_at(destination, size, address) \
    go_copy(destination, size, go_word(address), go_word((address) + 8))
