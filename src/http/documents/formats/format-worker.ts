// The task of the thread that writes documents in other forms. Its priority is lower than that of the threads that serve
// edits.
import { move } from 'piscina';
import { yieldToOthers } from '../../../../actors/compute/thread-priority.ts';
import { type Format, formattedBytes } from './formats.ts';

export interface FormatTask {
  /** The JSON text of the snapshot. */
  readonly content: Uint8Array;
  readonly format: Format;
}

yieldToOthers();

export default function run({ content, format }: FormatTask): unknown {
  return move(new Uint8Array(formattedBytes([content], format)));
}
