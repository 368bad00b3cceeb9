import { en } from "./en";

/** Every text of the console, in the language of its user. One language so far. */
export const texts = en;
export type Texts = typeof en;
