/* Loads a shared object with USDT probes that it has in memory only, when it is told to. Commands, one a line:
 * "load", "call NUMBER TEXT", "unload". */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void *load(const char *path)
{
    char block[4096], name[64];
    int from = open(path, O_RDONLY), to = memfd_create("late-probes", 0);
    ssize_t count;
    void *loaded;

    while ((count = read(from, block, sizeof(block))) > 0)
        if (write(to, block, (size_t)count) != count)
            return NULL;
    snprintf(name, sizeof(name), "/proc/self/fd/%d", to);
    loaded = dlopen(name, RTLD_NOW);
    close(from);
    close(to);
    return loaded;
}

int main(int argc, char **argv)
{
    char line[128], text[64];
    void (*fire)(int, const char *) = NULL;
    void *loaded = NULL;
    int number;

    printf("ready\n");
    fflush(stdout);
    while (fgets(line, sizeof(line), stdin)) {
        if (!strncmp(line, "load", 4) && argc > 1) {
            loaded = load(argv[1]);
            fire = loaded ? (void (*)(int, const char *))dlsym(loaded, "fire") : NULL;
            printf("%s\n", fire ? "loaded" : "not loaded");
        } else if (sscanf(line, "call %d %63s", &number, text) == 2 && fire) {
            fire(number, text);
            printf("called\n");
        } else if (!strncmp(line, "unload", 6)) {
            dlclose(loaded);
            fire = NULL;
            printf("unloaded\n");
        }
        fflush(stdout);
    }
    return 0;
}
