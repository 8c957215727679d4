/** What a key may do (R36): each role includes the ones before it. */
export const roles = ['viewer', 'marketer', 'admin'] as const
export type Role = (typeof roles)[number]

export const permits = (role: Role, needed: Role): boolean => roles.indexOf(role) >= roles.indexOf(needed)

export type AmbiguousMatch = 'best' | 'all' | 'hold'
export type UnmappedAddress = 'push' | 'reject'
export type ConflictRule = 'crmWins' | 'latestWins'
