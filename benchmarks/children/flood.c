/* flood SIZE COUNT [RATE [BURST]]: writes COUNT lines of SIZE bytes, RATE of them a second,
   BURST of them (one) after each sleep; then waits to be ended. */
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

static void put(const char *bytes, size_t left)
{
    while (left > 0) {
        ssize_t written = write(1, bytes, left);
        if (written < 0)
            _exit(1);
        bytes += written;
        left -= written;
    }
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    size_t size = atol(argv[1]);
    long count = atol(argv[2]), rate = argc > 3 ? atol(argv[3]) : 0;
    long burst = argc > 4 ? atol(argv[4]) : 1;
    char *line = malloc(size);
    struct timespec next;

    memset(line, 'x', size);
    line[size - 1] = '\n';
    prctl(PR_SET_TIMERSLACK, 1);
    clock_gettime(CLOCK_MONOTONIC, &next);
    for (long done = 0; done < count; done++) {
        put(line, size);
        if (rate > 0 && (done + 1) % burst == 0) {
            next.tv_nsec += burst * 1000000000L / rate;
            if (next.tv_nsec >= 1000000000L) {
                next.tv_nsec -= 1000000000L;
                next.tv_sec++;
            }
            clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
        }
    }
    for (;;)
        pause();
}
