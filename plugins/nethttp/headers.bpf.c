/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* net/http.Header, which is a map[string][]string, read where it lies.
 *
 * Go's map hash is seeded, so that a key cannot be looked for by its hash: all slots are walked, up to a limit. From
 * Go 1.24 on a map is internal/runtime/maps.Map: groups of 8 slots with a control word each, one group without a
 * directory up to 8 entries, else a directory of tables (a table splits at 1,024 slots, so that the first is the only
 * one here). Before, it is runtime.hmap: buckets of 8 with a chain of overflow buckets.
 */

#define NETHTTP_SLOTS 128 /* full groups or buckets are rare: about 60 headers */

struct nethttp_walk {
    u64 base;  /* the groups, or the buckets */
    u64 count; /* how many */
    u64 at;    /* index of the group or bucket */
    u64 here;  /* its address */
    u64 live;  /* a byte for each slot, its top bit set when the slot is empty */
};

#if defined(MAP_DIRECTORY)
#define NETHTTP_HAS_MAPS 1
#define NETHTTP_GROUP 328 /* 8 control bytes, 8 slots of string and []string */

static __always_inline void nethttp_walk_begin(struct nethttp_walk *walk, u64 map)
{
    walk->base = map ? go_word(map + MAP_DIRECTORY) : 0;
    walk->count = walk->base != 0;
    if (walk->base && go_word(map + MAP_DIRECTORY_LENGTH)) {
        u64 table = go_word(walk->base);

        walk->base = go_word(table + TABLE_GROUPS);
        walk->count = go_word(table + TABLE_GROUPS + 8) + 1; /* lengthMask */
    }
}

static __always_inline int nethttp_walk_enter(struct nethttp_walk *walk, u32 index)
{
    if (index >= walk->count)
        return 0;
    walk->here = walk->base + index * NETHTTP_GROUP;
    walk->live = go_word(walk->here);
    return 1;
}

/* Address of the slot's key, a string; 0 when the slot is empty. */
static __always_inline u64 nethttp_walk_key(const struct nethttp_walk *walk, u32 slot)
{
    if (walk->live >> (8 * slot + 7) & 1)
        return 0;
    return walk->here + 8 + slot * 40;
}

static __always_inline u64 nethttp_walk_element(const struct nethttp_walk *walk, u32 slot, u64 key)
{
    return key + 16;
}

#elif defined(HMAP_BUCKETS)
#define NETHTTP_HAS_MAPS 1
#define NETHTTP_BUCKET 336 /* tophash[8], 8 strings, 8 []string, overflow */

static __always_inline void nethttp_walk_begin(struct nethttp_walk *walk, u64 map)
{
    walk->base = map ? go_word(map + HMAP_BUCKETS) : 0;
    walk->count = walk->base ? 1UL << (go_byte(map + HMAP_B) & 15) : 0;
    walk->at = 0;
    walk->here = 0;
}

static __always_inline int nethttp_walk_enter(struct nethttp_walk *walk, u32 index)
{
    u64 overflow = walk->here ? go_word(walk->here + NETHTTP_BUCKET - 8) : 0;

    if (overflow) {
        walk->here = overflow;
    } else {
        if (walk->at >= walk->count)
            return 0;
        walk->here = walk->base + walk->at * NETHTTP_BUCKET;
        walk->at++;
    }
    walk->live = go_word(walk->here);
    return 1;
}

static __always_inline u64 nethttp_walk_key(const struct nethttp_walk *walk, u32 slot)
{
    /* runtime/map.go: minTopHash is 5, what is below says that the slot is empty or was moved */
    if ((walk->live >> (8 * slot) & 0xff) < 5)
        return 0;
    return walk->here + 8 + slot * 16;
}

static __always_inline u64 nethttp_walk_element(const struct nethttp_walk *walk, u32 slot, u64 key)
{
    return walk->here + 136 + slot * 24;
}
#endif

/* The names that are looked for, by their length and their first 8 bytes (keys are canonical). */
#define NETHTTP_CONTENT_TYPE 0x2d746e65746e6f43ULL /* "Content-", of 12 bytes */
#define NETHTTP_USER_AGENT 0x6567412d72657355ULL   /* "User-Age", of 10 */
#define NETHTTP_TRACE_PARENT 0x7261706563617254ULL /* "Tracepar", of 11 */

#ifdef NETHTTP_HAS_MAPS
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
    struct nethttp_walk walk = {};
    u64 key, element;

    nethttp_walk_begin(&walk, map);
    for (u32 i = 0; i < NETHTTP_SLOTS; i++) {
        if ((i & 7) == 0 && !nethttp_walk_enter(&walk, i >> 3))
            break;
        key = nethttp_walk_key(&walk, i & 7);
        if (!key || go_word(key + 8) != name_length || go_word(go_word(key)) != name_start)
            continue;
        element = nethttp_walk_element(&walk, i & 7, key);
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
#define NETHTTP_VALUE 254 /* a length of this says that there may be more */

/* All headers of a map as a fact: for each a byte with the name's length, one with the value's, name and first value. */
static __always_inline void nethttp_capture(struct goinst_operation *op, struct goinst_hit *hit, u64 map, u8 response)
{
#ifdef NETHTTP_HAS_MAPS
    struct nethttp_walk walk = {};
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
    nethttp_walk_begin(&walk, map);
    for (u32 i = 0; i < NETHTTP_SLOTS; i++) {
        if ((i & 7) == 0 && !nethttp_walk_enter(&walk, i >> 3))
            break;
        key = nethttp_walk_key(&walk, i & 7);
        if (!key)
            continue;
        /* kept in the record: in a register, the verifier would follow each way to each value of it */
        at = *(volatile u16 *)&r->length;
        if (at > sizeof(r->data) - 2 - NETHTTP_NAME - NETHTTP_VALUE) {
            r->cut = 1;
            break;
        }
        element = nethttp_walk_element(&walk, i & 7, key);
        name = go_string_at(&r->data[at + 2], NETHTTP_NAME, key);
        value = go_word(element + 8) ? go_string_at(&r->data[at + 2 + name], NETHTTP_VALUE, go_word(element)) : 0;
        r->data[at] = name;
        r->data[at + 1] = value;
        *(volatile u16 *)&r->length = at + 2 + name + value;
    }
    nethttp_headers_submit(r);
#endif
}
