import type { CellFormats } from './cell.ts'

export type Encoding = 'utf-8' | 'windows-1252' | 'utf-16le' | 'utf-16be'

/** `blanks: keep`: a blank cell changes nothing */
export type UploadOptions = CellFormats & {
  match: 'none' | 'email' | 'externalId' | 'id'
  onMatch: 'update' | 'skip'
  blanks: 'keep' | 'clear'
}

/** One column of a file, and where its cells go: the key of a column of the list, `externalId`, `id` that rows are matched by, or null for nowhere. */
export type UploadColumn = { header: string; to: string | null }

/** What an upload is asked to do, as it stands on its run. */
export type RunUpload = {
  /** names the stored chunks of the file */
  fileId: string
  fileBytes: number
  chunks: number
  encoding: Encoding
  delimiter: string
  columns: UploadColumn[]
  options: UploadOptions
}

export const externalIdTarget = 'externalId'
export const idTarget = 'id'
/** What the list of a file's rejected rows has beside the cells of the file. */
export const reportNames = ['_line', '_code', '_column', '_message'] as const
