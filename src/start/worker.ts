/**
 * How a worker's process is started; docker-compose, the image and `npm run worker` say the same. Several pages under way are more than V8's
 * young generation holds by default: a larger one spares a tenth of the processor, and collecting on one thread a tenth more, for several threads
 * mostly wait for each other on processors that are busy. Without a bound V8 lets garbage pile up as far as the machine has memory; with a tight
 * one it collects all the time.
 */
export const workerFlags = [
  '--single-threaded-gc',
  '--initial-old-space-size=110',
  '--max-semi-space-size=22',
  '--max-old-space-size=1536',
]

/** glibc keeps memory apart for many threads by default; with few arenas a worker is some 25 MiB smaller, and no slower. */
export const workerEnvironment = { MALLOC_ARENA_MAX: '2' }
