/* stamp FIFO: says when it begins, then waits to be ended. */
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    struct timespec now;
    char line[64];
    int fifo = argc > 1 ? open(argv[1], O_WRONLY) : -1;

    clock_gettime(CLOCK_MONOTONIC, &now);
    if (fifo >= 0) {
        int length = snprintf(line, sizeof line, "%lld %d\n",
                              now.tv_sec * 1000000000LL + now.tv_nsec, (int)getpid());
        if (write(fifo, line, length) < 0)
            return 1;
        close(fifo);
    }
    for (;;)
        pause();
}
