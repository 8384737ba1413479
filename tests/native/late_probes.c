/* The shared object of late.c: what a library for dynamically declared probes writes, made by the compiler. */
#include <sys/sdt.h>

void fire(int number, const char *text)
{
    DTRACE_PROBE2(late, fired, number, text);
}
