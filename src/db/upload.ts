export { addChunk, begin, discard, findChunk, remove } from './upload/file.ts'
export { storePage, type UploadPage } from './upload/page.ts'
export { pageRows } from './upload/report.ts'
export { request } from './upload/request.ts'
