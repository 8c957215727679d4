/**
 * How a worker's process is started; docker-compose, the image and `npm run worker` say the same. Several pages under way are more than V8's
 * young generation holds by default: a larger one spares processor time. V8 rounds it up to a power of two, and the next one makes the worker
 * 30 MiB larger and not faster. Without a bound V8 lets garbage pile up as far as the machine has memory; with a tight one it collects all the time.
 * Collecting on one thread spares a little more, but on Node 24 a worker grows by 300 MiB.
 */
export const workerFlags = ['--initial-old-space-size=90', '--max-semi-space-size=16', '--max-old-space-size=1536']

/**
 * The API needs far less; without a bound V8 lets its garbage pile up, too: an upload and a download of a million rows took 460 MiB, and now 280.
 * V8 marks what lives whenever the heap outgrows what it allows itself, at first some 60 MiB, which is what the API holds when it has started.
 * Beside an import marking takes the processor from one or two answers, which then come 100 to 200 ms later; with room it is rare.
 */
export const apiFlags = ['--initial-old-space-size=256', '--max-old-space-size=1024']

/** glibc keeps memory apart for many threads by default; with few arenas a worker, or the API, is some 25 MiB smaller, and no slower. */
export const memoryEnvironment = { MALLOC_ARENA_MAX: '2' }
