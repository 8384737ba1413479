/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Trace and span ids (W3C Trace Context: random, not zero). */

static __always_inline u64 goinst_random_id(void)
{
    u64 id = (u64)bpf_get_prandom_u32() << 32 | bpf_get_prandom_u32();
    return id ? id : 1;
}

/* A lower-case hexadecimal digit; anything else makes `bad` true. */
static __always_inline u64 goinst_hex(char text, u64 *bad)
{
    u64 digit = (u8)(text - '0'), letter = (u8)(text - 'a');
    s64 is_digit = (s64)(digit - 10) >> 63, is_letter = (s64)(letter - 6) >> 63;

    asm volatile("" : "+r"(is_digit), "+r"(is_letter));
    *bad |= ~(is_digit | is_letter);
    asm volatile("" : "+r"(*bad));
    return (digit & is_digit) | ((letter + 10) & is_letter);
}

/* 16 lower-case hexadecimal digits; anything else makes `bad` true. Without branches, of which the verifier would follow
 * both sides for each digit, and one digit after the other, because together they would not fit the stack. */
static __always_inline u64 goinst_hex64(const char *text, u64 *bad)
{
    u64 value = 0;
#pragma unroll
    for (u32 i = 0; i < 16; i++) {
        value = value << 4 | goinst_hex(text[i], bad);
        asm volatile("" : "+r"(value) : : "memory");
    }
    return value;
}

/* The same the other way round. */
static __always_inline void goinst_hex_text(char *text, u64 value)
{
#pragma unroll
    for (u32 i = 0; i < 16; i++) {
        u64 digit = value >> (60 - 4 * i) & 15;
        s64 is_letter = (s64)(9 - digit) >> 63;

        asm volatile("" : "+r"(is_letter)); /* no branch */
        text[i] = digit + '0' + (is_letter & ('a' - '0' - 10));
    }
}
