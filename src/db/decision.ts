export { answersOf, closeSettled, successorAnswers } from './decision/answer.ts'
export { settle } from './decision/ask.ts'
export { decide } from './decision/decide.ts'
export { get, page, type Decision } from './decision/read.ts'
