// A python3 for tests that has the module websockets.
import { findProgram } from './install.ts';
import { PYTHON_WEBSOCKETS } from './requirements.ts';

/** The path of the program. */
export const findPython = (): Promise<string> => findProgram(PYTHON_WEBSOCKETS);
