/** R15: more than 50 and more than 2 % newly gone is more likely a lost right than a deletion; a person confirms. */
export const isMassDeletion = (gone: number, live: number): boolean => gone > 50 && gone > live * 0.02
