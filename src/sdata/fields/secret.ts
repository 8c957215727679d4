const words = /passw|pwd|secret(?!ar)|token|credential|webusername|hint(s|question|answer|\d*)?$/i

/** True for properties that hold secrets of people: never offered, never selected. */
export const isSecret = (name: string): boolean => words.test(name)
