/* USDT probes with arguments in registers, in memory, constant, indexed, signed and static; one with a semaphore. */
#define _SDT_HAS_SEMAPHORES 1
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sdt.h>

#define SEMAPHORE __attribute__((section(".probes"), used))

/* sys/sdt.h refers to the semaphore of every probe then */
volatile unsigned short marks_begin_semaphore SEMAPHORE;
volatile unsigned short marks_word_semaphore SEMAPHORE;
volatile unsigned short marks_costly_semaphore SEMAPHORE;

static const char *const WORDS[] = {"alpha", "beta", "gamma", "delta"};
static int32_t level = -77;

__attribute__((noinline)) static void word(const char *const *words, size_t at, int8_t small)
{
    DTRACE_PROBE4(marks, word, words[at], at, small, 42);
}

int main(int argc, char **argv)
{
    int count = argc > 1 ? atoi(argv[1]) : 3;
    char line[16];
    volatile int prepared = 0;

    printf("ready\n");
    fflush(stdout);
    if (!fgets(line, sizeof(line), stdin))
        return 1;
    for (int i = 0; i < count; i++) {
        uint64_t large = 0xfedcba9876543210UL + (uint64_t)i;
        int16_t row[4] = {(int16_t)-i, 10, 20, 30};

        printf("begin %d %llu %d %d\n", i, (unsigned long long)large, row[0], level);
        DTRACE_PROBE4(marks, begin, i, large, row[0], level);
        printf("word %s %d %d\n", WORDS[i % 4], i % 4, -i);
        word(WORDS, (size_t)(i % 4), (int8_t)-i);
        if (marks_costly_semaphore) {
            prepared++;
            DTRACE_PROBE2(marks, costly, prepared, WORDS[(i + 1) % 4]);
        }
        level++;
    }
    printf("prepared %d\n", prepared);
    printf("done\n");
    fflush(stdout);
    return fgets(line, sizeof(line), stdin) ? 0 : 1;
}
