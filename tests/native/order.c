/* Writes what it does to standard output, so that a test can compare what was seen with it. Reads "count" from its
 * arguments; waits for a line on standard input first. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEPT __attribute__((noinline, noipa))

enum state { OPEN = 1, PAID = 2, SHIPPED = 5 };

struct point {
    int32_t x, y;
};

struct customer {
    const char *name;
    uint8_t age;
    struct point home;
};

typedef struct order {
    uint64_t id;
    enum state state;
    struct customer *customer;
    double total;
    int16_t items[4];
    union {
        uint32_t number;
        char text[8];
    } reference;
    unsigned urgent : 1, weight : 7;
    struct order *next;
} order_t;

KEPT int64_t place(order_t *order, const char *note, size_t length, int flags, struct point where, double price)
{
    return (int64_t)order->id * 10 + (int64_t)length + flags + where.x + where.y + (int64_t)price + (note[0] == '!');
}

KEPT uint64_t nine(uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f, uint64_t g, uint32_t h,
                   int8_t i)
{
    return a + b + c + d + e + f + g + h + (uint64_t)i;
}

KEPT int nested(int depth)
{
    volatile char room[64];

    room[0] = (char)depth;
    return depth ? nested(depth - 1) + 1 : room[0];
}

/* ends in a jump to another function, when it is optimised */
KEPT int forward(int depth)
{
    return depth > 1 ? nested(depth) : depth;
}

static inline __attribute__((always_inline)) int doubled(int number)
{
    return number * 2;
}

int main(int argc, char **argv)
{
    int count = argc > 1 ? atoi(argv[1]) : 3;
    char line[16];

    printf("ready\n");
    fflush(stdout);
    if (!fgets(line, sizeof(line), stdin))
        return 1;
    for (int i = 0; i < count; i++) {
        struct customer customer = {i % 2 ? "Ada" : "Grace", (uint8_t)(30 + i), {i, -i}};
        order_t order = {.id = 1000 + (uint64_t)i, .state = i % 2 ? PAID : SHIPPED, .customer = &customer,
                         .total = 1.5 * i, .items = {(int16_t)i, -1, 2, -3}, .urgent = 1, .weight = 99};
        char note[32];

        order.reference.number = 7;
        snprintf(note, sizeof(note), "note %d", i);
        printf("place %lld %s %d %lld\n", (long long)order.id, note, i - 5,
               (long long)place(&order, note, strlen(note), i - 5, (struct point){i, 2 * i}, 2.5));
        printf("nine %llu\n", (unsigned long long)nine(1, 2, 3, 4, 5, 6, 700 + (uint64_t)i, 8, (int8_t)-i));
    }
    printf("nested %d\n", nested(2));
    printf("forward %d %d %d\n", forward(0), forward(1), doubled(forward(2)));
    printf("done\n");
    fflush(stdout);
    return fgets(line, sizeof(line), stdin) ? 0 : 1;
}
