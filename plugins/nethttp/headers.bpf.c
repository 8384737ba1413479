/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Headers: net/http.Header is a map[string][]string. */

/* The names that are looked for, by their length and their first 8 bytes (keys are canonical). */
#define NETHTTP_CONTENT_TYPE 0x2d746e65746e6f43ULL /* "Content-", of 12 bytes */
#define NETHTTP_USER_AGENT 0x6567412d72657355ULL   /* "User-Age", of 10 */
#define NETHTTP_TRACE_PARENT 0x7261706563617254ULL /* "Tracepar", of 11 */

#ifdef GO_MAP
/* The first value of the header whose name has this length and start is copied; its length, or 0. */
#define nethttp_header(map, name_length, name_start, destination, size)                                               \
    ({                                                                                                               \
        u64 nethttp_value = nethttp_find_header((map), (name_length), (name_start));                                 \
        u64 nethttp_n = 0;                                                                                           \
        if (nethttp_value)                                                                                           \
            nethttp_n = go_string_at((destination), (size), nethttp_value);                                          \
        nethttp_n;                                                                                                   \
    })

/* Address of the first value (a string) of a header, or 0. */
static __always_inline u64 nethttp_find_header(u64 map, u64 name_length, u64 name_start)
{
    struct go_map walk = {};
    u64 key, element;

    go_map_begin(&walk, map);
    for (u32 i = 0; i < GO_MAP_SLOTS; i++) {
        if ((i & 7) == 0 && !go_map_enter(&walk, i >> 3))
            break;
        key = go_map_key(&walk, i & 7);
        if (!key || go_word(key + 8) != name_length || go_word(go_word(key)) != name_start)
            continue;
        element = go_map_element(&walk, i & 7, key);
        return go_word(element + 8) ? go_word(element) : 0;
    }
    return 0;
}
#else
#define nethttp_header(map, name_length, name_start, destination, size) 0
#endif

/* The option capture_headers as text: only whether there is one matters here, the names are picked in user space. */
#define NETHTTP_TEXT_OF(...) #__VA_ARGS__
#define NETHTTP_TEXT(...) NETHTTP_TEXT_OF(__VA_ARGS__)
#define NETHTTP_CAPTURES (sizeof(NETHTTP_TEXT(NETHTTP_CAPTURE)) > 1)

#define NETHTTP_NAME 64   /* longer names are cut, and so never found */

/* All headers of a map as a fact: for each a byte with the name's length, one with the value's, name and first value. */
static __always_inline void nethttp_capture(struct goinst_operation *op, struct goinst_hit *hit, u64 map, u8 response)
{
#ifdef GO_MAP
    struct go_map walk = {};
    struct nethttp_headers *r;
    u64 key, element, name, value, at;

    if (!NETHTTP_CAPTURES || !map)
        return;
    r = nethttp_headers_reserve(op, hit);
    if (!r)
        return;
    r->response = response;
    r->cut = 0;
    r->length = 0;
    go_map_begin(&walk, map);
    for (u32 i = 0; i < GO_MAP_SLOTS; i++) {
        if ((i & 7) == 0 && !go_map_enter(&walk, i >> 3))
            break;
        key = go_map_key(&walk, i & 7);
        if (!key)
            continue;
        /* kept in the record: in a register, the verifier would follow each way to each value of it */
        at = *(volatile u16 *)&r->length;
        if (at > sizeof(r->data) - 2 - NETHTTP_NAME - NETHTTP_VALUE) {
            r->cut = 1;
            break;
        }
        element = go_map_element(&walk, i & 7, key);
        name = go_string_at(&r->data[at + 2], NETHTTP_NAME, key);
        value = go_word(element + 8) ? go_string_at(&r->data[at + 2 + name], NETHTTP_VALUE, go_word(element)) : 0;
        r->data[at] = name;
        r->data[at + 1] = value;
        *(volatile u16 *)&r->length = at + 2 + name + value;
    }
    nethttp_headers_submit(r);
#endif
}
