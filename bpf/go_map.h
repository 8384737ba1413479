/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Walking a map[string][]string (net/http.Header, metadata.MD) where it lies.
 *
 * Go's map hash is seeded, so that a key cannot be looked for by its hash: all slots are walked, up to a limit. From
 * Go 1.24 on a map is internal/runtime/maps.Map: groups of 8 slots with a control word each, one group without a
 * directory up to 8 entries, else a directory of tables (a table splits at 1,024 slots, so that the first is the only
 * one here). Before, it is runtime.hmap: buckets of 8 with a chain of overflow buckets.
 *
 *     for (u32 i = 0; i < GO_MAP_SLOTS; i++) {
 *         if ((i & 7) == 0 && !go_map_enter(&walk, i >> 3))
 *             break;
 *         key = go_map_key(&walk, i & 7);
 *         ...
 */

#define GO_MAP_SLOTS 128 /* full groups or buckets are rare: about 60 headers */

struct go_map {
    u64 base;  /* the groups, or the buckets */
    u64 count; /* how many */
    u64 at;    /* index of the group or bucket */
    u64 here;  /* its address */
    u64 live;  /* a byte for each slot, its top bit set when the slot is empty */
};

#if defined(GOINST_MAP_DIRECTORY)
#define GO_MAP 1
#define GO_MAP_GROUP 328 /* 8 control bytes, 8 slots of string and []string */

static __always_inline void go_map_begin(struct go_map *walk, u64 map)
{
    walk->base = map ? go_word(map + GOINST_MAP_DIRECTORY) : 0;
    walk->count = walk->base != 0;
    if (walk->base && go_word(map + GOINST_MAP_DIRLEN)) {
        u64 table = go_word(walk->base);

        walk->base = go_word(table + GOINST_TABLE_GROUPS);
        walk->count = go_word(table + GOINST_TABLE_GROUPS + 8) + 1; /* lengthMask */
    }
}

/* Goes to a group, or bucket, of `size` bytes; 0 when there is none any more. */
static __always_inline int go_map_enter_sized(struct go_map *walk, u32 index, u64 size)
{
    if (index >= walk->count)
        return 0;
    walk->here = walk->base + index * size;
    walk->live = go_word(walk->here);
    return 1;
}

static __always_inline u64 go_map_empty(const struct go_map *walk, u32 slot)
{
    return walk->live >> (8 * slot + 7) & 1;
}

/* Address of the slot's key, a string; 0 when the slot is empty. */
static __always_inline u64 go_map_key(const struct go_map *walk, u32 slot)
{
    return go_map_empty(walk, slot) ? 0 : walk->here + 8 + slot * 40;
}

static __always_inline u64 go_map_element(const struct go_map *walk, u32 slot, u64 key)
{
    return key + 16;
}

#elif defined(GOINST_HMAP_BUCKETS)
#define GO_MAP 1
#define GO_MAP_BUCKET 336 /* tophash[8], 8 strings, 8 []string, overflow */

static __always_inline void go_map_begin(struct go_map *walk, u64 map)
{
    walk->base = map ? go_word(map + GOINST_HMAP_BUCKETS) : 0;
    walk->count = walk->base ? 1UL << (go_byte(map + GOINST_HMAP_B) & 15) : 0;
    walk->at = bpf_ktime_get_ns() >> 63; /* 0, but not for the verifier: one path less for each bucket */
    walk->here = 0;
}

static __always_inline int go_map_enter_sized(struct go_map *walk, u32 index, u64 size)
{
    /* By arithmetic, so that the verifier has one path: the overflow bucket, or the next one. Nothing is at `size - 8`
     * of address 0. LLVM knows these idioms, and would make branches of them. */
    u64 overflow = go_word(walk->here + size - 8), negative = -overflow, there;

    asm volatile("" : "+r"(negative));
    there = (overflow | negative) >> 63;
    asm volatile("" : "+r"(there));
    if (walk->at >= walk->count + (there & 1))
        return 0;
    walk->here = overflow * there + (walk->base + walk->at * size) * (there ^ 1);
    walk->at += there ^ 1;
    walk->live = go_word(walk->here);
    return 1;
}

/* runtime/map.go: minTopHash is 5, what is below says that the slot is empty or was moved; 0 or 1 without a branch */
static __always_inline u64 go_map_empty(const struct go_map *walk, u32 slot)
{
    u64 difference = (walk->live >> (8 * slot) & 0xff) - 5;

    asm volatile("" : "+r"(difference)); /* LLVM would make a comparison of it */
    return difference >> 63;
}

static __always_inline u64 go_map_key(const struct go_map *walk, u32 slot)
{
    return go_map_empty(walk, slot) ? 0 : walk->here + 8 + slot * 16;
}

static __always_inline u64 go_map_element(const struct go_map *walk, u32 slot, u64 key)
{
    return walk->here + 136 + slot * 24;
}
#endif

#if defined(GO_MAP)
static __always_inline int go_map_enter(struct go_map *walk, u32 index)
{
#if defined(GO_MAP_GROUP)
    return go_map_enter_sized(walk, index, GO_MAP_GROUP);
#else
    return go_map_enter_sized(walk, index, GO_MAP_BUCKET);
#endif
}
#endif
