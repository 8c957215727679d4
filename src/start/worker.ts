/**
 * How a worker's process is started; docker-compose, the image and `npm run worker` say the same. Several pages under way are more than V8's
 * young generation holds by default: a larger one spares processor time. V8 makes powers of two of it, and 32 MiB would add some 30 MiB to the
 * worker for nothing that can be measured; so would collecting on one thread, which Node 24 pays for with 300 MiB. Without a bound V8 lets
 * garbage pile up as far as the machine has memory; with a tight one it collects all the time.
 */
export const workerFlags = ['--initial-old-space-size=90', '--max-semi-space-size=16', '--max-old-space-size=1536']

/** glibc keeps memory apart for many threads by default; with few arenas a worker is some 25 MiB smaller, and no slower. */
export const workerEnvironment = { MALLOC_ARENA_MAX: '2' }
