import { FairleadError, type ErrorCode } from '../../domain/errors.ts'

/** Refuses a name that a column of the list goes by already; `own` is the column that is renamed. Errors: invalidInput, nameTaken, naming `path`. */
export const refuseTaken = (
  find: (name: string) => { id: string } | undefined,
  name: string,
  path: string,
  own?: string,
): void => {
  const fail = (code: ErrorCode, message: string): never => {
    throw new FairleadError(code, { detail: message, errors: [{ path, message }] })
  }
  if (/^c\d+$/i.test(name)) fail('invalidInput', 'Names such as "c12" are keys of columns.')
  if (name === '__proto__') fail('invalidInput', 'JSON has no property of that name.')
  const holder = find(name)
  if (holder !== undefined && holder.id !== own) fail('nameTaken', `The list has a column "${name}" already.`)
}
