// A scenario made shorter or smaller: the same load for a try, or at another size. Pure.
import type { Scenario } from './scenario.ts';

export interface Size {
  /** Length of the whole run, ms. */
  readonly lastsMs?: number;
  /** Factor of the clients and of the documents. */
  readonly share?: number;
}

/** Times and counts change in proportion, and so do the criteria that count something. */
export function resize(scenario: Scenario, { lastsMs, share = 1 }: Size): Scenario {
  const { clients, documents, stages, faults, criteria } = scenario;
  const before = stages.reduce((sum, stage) => sum + stage.lastsMs, 0);
  const time = lastsMs === undefined ? 1 : lastsMs / before;
  const part = (count: number, least: number) => Math.max(least, Math.round(count * share));
  const scaled = (bound: number | null) => (bound === null ? null : Math.ceil(bound * share));
  return {
    ...scenario,
    documents: { ...documents, count: part(documents.count, 1) },
    clients: {
      ...clients,
      editors: part(clients.editors, Math.min(1, clients.editors)),
      readers: part(clients.readers, Math.min(1, clients.readers)),
    },
    stages: stages.map((stage) => ({ ...stage, lastsMs: stage.lastsMs * time })),
    faults: faults.map((fault) => ({ ...fault, atMs: fault.atMs * time, backMs: fault.backMs * time })),
    criteria: {
      ...criteria,
      edits: Math.floor(criteria.edits * time * share),
      errors: scaled(criteria.errors),
      lostConnections: scaled(criteria.lostConnections),
    },
  };
}
