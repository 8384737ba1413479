/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* func greet(name string, times int) string */

PROBE(hello_enter)
{
    struct hello_greeting *r = hello_greeting_begin(hit);

    if (!r)
        return 0;
    r->times = ARG(hello_enter, times);
    r->name_length = ARG(hello_enter, name_len);
    r->name_copied = go_copy(r->name, sizeof(r->name), ARG(hello_enter, name_ptr), r->name_length);
    return 0;
}

PROBE(hello_leave)
{
    struct hello_greeting *r = hello_greeting_current(hit);

    if (!r)
        return 0;
    r->greeting_length = RESULT(hello_leave, greeting_len);
    hello_greeting_end(r, r->name_copied);
    return 0;
}
