/* listener FIFO [LINES]: an event listener that accepts everything.  It stamps each event,
   or, with LINES, only the moment at which its events have brought that many lines. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void stamp(int fifo, long events)
{
    struct timespec now;
    char line[64];

    clock_gettime(CLOCK_MONOTONIC, &now);
    int length = snprintf(line, sizeof line, "%lld %ld\n",
                          now.tv_sec * 1000000000LL + now.tv_nsec, events);
    if (write(fifo, line, length) < 0)
        exit(1);
}

static long count_lines(const char *bytes, size_t length)
{
    long lines = 0;
    for (size_t i = 0; i < length; i++)
        lines += bytes[i] == '\n';
    return lines;
}

int main(int argc, char **argv)
{
    static char header[4096], payload[1 << 20];
    long events = 0, lines = 0, wanted = argc > 2 ? atol(argv[2]) : 0;
    int fifo = argc > 1 ? open(argv[1], O_WRONLY) : -1;

    if (fifo < 0)
        return 2;
    for (;;) {
        if (write(1, "READY\n", 6) != 6 || !fgets(header, sizeof header, stdin))
            return 1;
        char *token = strstr(header, " len:");
        size_t length = token ? atol(token + 5) : 0;
        if (length > sizeof payload || fread(payload, 1, length, stdin) != length)
            return 1;
        events++;
        /* One line of a log event is the event's own, before the output. */
        lines += count_lines(payload, length) - 1;
        if (wanted == 0) {
            stamp(fifo, events);
        } else if (lines >= wanted) {
            stamp(fifo, events);
            wanted = 1L << 62;
        }
        if (write(1, "RESULT 2\nOK", 11) != 11)
            return 1;
    }
}
