/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Trace and span ids (W3C Trace Context: random, not zero). */

static __always_inline u64 goinst_random_id(void)
{
    u64 id = (u64)bpf_get_prandom_u32() << 32 | bpf_get_prandom_u32();
    return id ? id : 1;
}

/* 16 lower-case hexadecimal digits; anything else makes `bad` true. Without branches, of which the verifier would follow
 * both sides for each digit, and one digit after the other, because together they would not fit the stack. */
static __always_inline u64 goinst_hex64(const char *text, u64 *bad)
{
    u64 value = 0;
#pragma unroll
    for (u32 i = 0; i < 16; i++) {
        u64 digit = (u8)(text[i] - '0'), letter = (u8)(text[i] - 'a');
        s64 is_digit = (s64)(digit - 10) >> 63, is_letter = (s64)(letter - 6) >> 63;

        asm volatile("" : "+r"(is_digit), "+r"(is_letter));
        value = value << 4 | (digit & is_digit) | ((letter + 10) & is_letter);
        *bad |= ~(is_digit | is_letter);
        asm volatile("" : "+r"(value), "+r"(*bad) : : "memory");
    }
    return value;
}
