/** Why set-up cannot go on, in words for the person at the keyboard. */
export class SetUpError extends Error {}
