/** R15: more than 50 and more than 2 % newly gone is more likely a lost right than a deletion; a person confirms. */
export const isMassDeletion = (gone: number, live: number): boolean => gone > 50 && gone > live * 0.02

type Gone = { gone: number; live: number; otherUser: boolean; confirmed: number }

/** Whether a person must agree before `gone` of `live` records are marked; what was agreed to does not cover many more. */
export const needsConfirmation = ({ gone, live, otherUser, confirmed }: Gone): boolean =>
  isMassDeletion(gone - confirmed, live) || (otherUser && gone > 0 && confirmed === 0)
