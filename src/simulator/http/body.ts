import type { IncomingMessage } from 'node:http'
import { Refusal } from '../diagnosis.ts'

export const readBody = async (request: IncomingMessage): Promise<string> => {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
    .toString('utf8')
    .replace(/^\uFEFF/, '')
}

/** JSON in which numbers of more than 15 digits come as text, so that decimals arrive whole. */
export const parseJson = (text: string): unknown => {
  const kept = text.replaceAll(/"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]{15,}/g, (token) =>
    token.startsWith('"') ? token : `"${token}"`,
  )
  try {
    return JSON.parse(kept)
  } catch {
    throw new Refusal(400, 'ApplicationDiagnosis', 'The body is not valid JSON.')
  }
}
