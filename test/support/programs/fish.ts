// A fish for tests.
import { findProgram } from './install.ts';
import { FISH } from './requirements.ts';

/** Its path. */
export const findFish = (): Promise<string> => findProgram(FISH);
