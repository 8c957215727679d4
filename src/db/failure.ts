import { FairleadError } from '../domain/errors.ts'

/** The code of Postgres or its driver, however deep the error is wrapped. */
export const failureCode = (error: unknown): string | undefined => {
  for (let each = error, depth = 0; each instanceof Error && depth < 5; each = each.cause, depth += 1) {
    const { code } = each as { code?: unknown }
    if (typeof code === 'string') return code
  }
  return undefined
}

const deadlock = '40P01'
const tries = 3

/** A transaction that loses against others who lock in another order begins anew, twice at most. */
export const repeating = async <T>(transaction: () => Promise<T>): Promise<T> => {
  for (let left = tries; ; left -= 1) {
    try {
      return await transaction()
    } catch (error) {
      if (left <= 1 || failureCode(error) !== deadlock) throw error
    }
  }
}

/** A broken unique index means nameTaken. */
export const refuseTwins = async <T>(work: Promise<T>): Promise<T> => {
  try {
    return await work
  } catch (error) {
    if (failureCode(error) === '23505') throw new FairleadError('nameTaken')
    throw error
  }
}
