export type Staff = {
  id: string
  userName: string
  first: string
  last: string
  type: number
  enabled: boolean
  ownerId: string
  department: string
}

const person = (n: number, userName: string, first: string, last: string, type: number, department: string): Staff => ({
  id: `U6UJ9A00000${n}`,
  userName,
  first,
  last,
  type,
  enabled: type !== 5,
  ownerId: `F6UJ9A00000${n}`,
  department,
})

/** Type: 0 network, 2 web, 4 concurrent, 5 retired, 8 administrator (sdata.md 3.7). */
export const staff: Staff[] = [
  { ...person(0, 'admin', 'Ada', 'Ministrator', 8, 'IT'), id: 'ADMIN', ownerId: 'FADMIN000001' },
  person(1, 'lee', 'Lee', 'Hogan', 0, 'Sales'),
  person(2, 'dan', 'Dan', 'Barret', 0, 'Sales'),
  person(3, 'samantha', 'Samantha', 'Brink', 2, 'Marketing'),
  person(4, 'cathy', 'Cathy', 'Brooks', 4, 'Marketing'),
  person(5, 'ed', 'Ed', 'Harris', 5, 'Sales'),
  person(6, 'jörg', 'Jörg', "O'Brien", 0, 'Support'),
]
