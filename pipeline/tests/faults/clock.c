/*
 * A wall clock that a test sets while a process runs: preloaded into it, this library shifts
 * CLOCK_REALTIME by the seconds in the file that ANDON_TEST_CLOCK names. As with a real clock that
 * is set, a wait until a moment of that clock ends when the clock says so, while monotonic time
 * and relative waits go on untouched.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

/* A wait looks at the clock this often, and whether it missed a signal between two looks. */
#define SLICE_NS 100000000LL
#define SECOND_NS 1000000000LL
#define COUNTERS 4096
/* In glibc's condition variables: waits are on the monotonic clock. */
#define COND_IS_MONOTONIC 2u

typedef int (*gettime_fn)(clockid_t, struct timespec *);
typedef int (*timedwait_fn)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);

static gettime_fn real_gettime;
static timedwait_fn real_timedwait;
static const volatile int64_t *shift;
/* Signals given so far, by the address of the condition variable. */
static _Atomic unsigned signals[COUNTERS];

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("ANDON_TEST_CLOCK");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0)
        return;
    void *page = mmap(NULL, sizeof(*shift), PROT_READ, MAP_SHARED, file, 0);
    close(file);
    if (page != MAP_FAILED)
        shift = page;
}

static int now_real(clockid_t clock, struct timespec *time) {
    if (!real_gettime)
        real_gettime = (gettime_fn)dlsym(RTLD_NEXT, "clock_gettime");
    return real_gettime(clock, time);
}

static int64_t shift_seconds(void) { return shift ? *shift : 0; }

int clock_gettime(clockid_t clock, struct timespec *time) {
    int result = now_real(clock, time);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        time->tv_sec += shift_seconds();
    return result;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
    (void)zone;
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0)
        return -1;
    time->tv_sec = now.tv_sec;
    time->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *out) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out)
        *out = now.tv_sec;
    return now.tv_sec;
}

int timespec_get(struct timespec *time, int base) {
    return base == TIME_UTC && clock_gettime(CLOCK_REALTIME, time) == 0 ? base : 0;
}

static _Atomic unsigned *signals_of(const void *cond) {
    return &signals[((uintptr_t)cond >> 4) % COUNTERS];
}

/* Waits for a signal for a slice of time, less if the deadline is nearer. */
static int wait_slice(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *until) {
    struct timespec now;
    now_real(CLOCK_REALTIME, &now);
    int64_t left = (until->tv_sec - shift_seconds() - now.tv_sec) * SECOND_NS + until->tv_nsec -
                   now.tv_nsec;
    int64_t slice = left < SLICE_NS ? left : SLICE_NS;
    int64_t end = now.tv_nsec + (slice > 0 ? slice : 0);
    struct timespec at = {now.tv_sec + end / SECOND_NS, end % SECOND_NS};
    return real_timedwait(cond, mutex, &at);
}

int pthread_cond_timedwait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict mutex,
                           const struct timespec *restrict until) {
    if (!real_timedwait)
        real_timedwait = (timedwait_fn)dlvsym(RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2");
    if (!real_timedwait)
        real_timedwait = (timedwait_fn)dlsym(RTLD_NEXT, "pthread_cond_timedwait");
    if (cond->__data.__wrefs & COND_IS_MONOTONIC)
        return real_timedwait(cond, mutex, until);
    unsigned before = atomic_load(signals_of(cond));
    for (;;) {
        int result = wait_slice(cond, mutex, until);
        if (result != ETIMEDOUT)
            return result;
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        if (now.tv_sec > until->tv_sec ||
            (now.tv_sec == until->tv_sec && now.tv_nsec >= until->tv_nsec))
            return ETIMEDOUT;
        if (atomic_load(signals_of(cond)) != before)
            return 0;
    }
}

/* The C library's own threads.h calls its pthread functions where no preload sees it, so these are
 * shifted too; the types are the same underneath. */
int cnd_timedwait(cnd_t *restrict cond, mtx_t *restrict mutex,
                  const struct timespec *restrict until) {
    int result = pthread_cond_timedwait((pthread_cond_t *)cond, (pthread_mutex_t *)mutex, until);
    return result == 0 ? thrd_success : result == ETIMEDOUT ? thrd_timedout : thrd_error;
}

int cnd_signal(cnd_t *cond) {
    atomic_fetch_add(signals_of(cond), 1);
    return pthread_cond_signal((pthread_cond_t *)cond) == 0 ? thrd_success : thrd_error;
}

int cnd_broadcast(cnd_t *cond) {
    atomic_fetch_add(signals_of(cond), 1);
    return pthread_cond_broadcast((pthread_cond_t *)cond) == 0 ? thrd_success : thrd_error;
}
