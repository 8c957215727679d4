/** What happened to a record here, outside of any run but an upload. */
export type EditKind = 'created' | 'edited' | 'removed' | 'restored' | 'merged'
